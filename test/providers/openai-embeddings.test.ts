import { create, type MessageInitShape } from "@bufbuild/protobuf";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import { Failure } from "../../src/core/failure.ts";
import { decodeEmbedding, encodeEmbedding } from "../../src/providers/openai/embeddings.ts";
import { answering } from "./loopback.ts";

const base64 = (...numbers: number[]) => Buffer.from(Float32Array.from(numbers).buffer).toString("base64");
const reply = (...data: unknown[]) =>
  JSON.stringify({ data, model: "m", usage: { prompt_tokens: 3, total_tokens: 3 } });

function encode(request: MessageInitShape<typeof EmbedRequestSchema>) {
  const message = create(EmbedRequestSchema, request);
  return encodeEmbedding(message, { model: "m", texts: ["a", "b"], inputType: undefined });
}

test.each([{}, { dimensions: 256 }])("a request equals the SDK's, with %j", async (more) => {
  await using server = await answering("application/json", reply({ index: 0, embedding: base64(1) }));
  const client = new OpenAI({ apiKey: "none", baseURL: server.origin, maxRetries: 0 });
  await client.embeddings.create({ model: "m", input: ["a", "b"], ...more });
  const { path, body } = encode(more);
  expect(JSON.parse(body)).toEqual(JSON.parse(server.bodies[0] ?? ""));
  expect(path).toBe("/embeddings");
});

test("what the contract does not know goes along", () => {
  const { body } = encode({ extraBody: { user: "u", encoding_format: "float" } });
  expect(JSON.parse(body)).toEqual({ model: "m", input: ["a", "b"], user: "u", encoding_format: "float" });
});

test.each(["model", "input", "dimensions"])("nobody sets %s by hand", (field) => {
  expect(() => encode({ extraBody: { [field]: 1 } })).toThrow(
    expect.objectContaining({
      kind: "invalid_request",
      violations: [{ field: `extra_body.${field}`, description: "is set by the gateway" }],
    }),
  );
});

test("vectors come in the order of the input, as base64 or as numbers", () => {
  const { vectors, usage, servedModel } = decodeEmbedding(
    reply({ index: 1, embedding: [0.1, -1] }, { index: 0, embedding: base64(0.25, 2) }),
  );
  expect(vectors).toEqual([
    [0.25, 2],
    [0.1, -1],
  ]);
  expect(usage).toMatchObject({ inputTokens: 3, outputTokens: 0, totalTokens: 3 });
  const voyages = JSON.stringify({ data: [{ index: 0, embedding: [1] }], usage: { total_tokens: 7 } });
  expect(decodeEmbedding(voyages).usage).toMatchObject({ inputTokens: 7, provenance: "measured" });
  expect(servedModel).toBe("m");
});

test.each([
  "{",
  "{}",
  reply(5),
  reply({ index: 0 }),
  reply({ index: 0, embedding: "AAA=" }),
  reply({ index: 0, embedding: "" }),
  reply({ index: 0, embedding: base64(1, Number.NaN) }),
  reply({ index: 0, embedding: [] }),
  reply({ index: 0, embedding: [1, "2"] }),
  reply({ index: 0, embedding: [1e39] }),
  reply({ index: 1, embedding: [1] }),
  reply({ index: -1, embedding: [1] }),
  reply({ index: 1e9, embedding: [1] }),
  reply({ index: 0, embedding: [1] }, { index: 0, embedding: [2] }),
])("%s is malformed_reply", (body) => {
  expect(() => decodeEmbedding(body)).toThrow(expect.objectContaining({ kind: "malformed_reply" }));
});

test("an error in place of vectors is classified", () => {
  const body = JSON.stringify({ error: { message: "x", code: "insufficient_quota" } });
  expect(() => decodeEmbedding(body)).toThrow(Failure);
  expect(() => decodeEmbedding(body)).toThrow(expect.objectContaining({ kind: "quota_exhausted" }));
});
