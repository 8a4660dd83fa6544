import OpenAI from "openai";
import { expect, test } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { decodeEmbedding, encodeEmbedding } from "../../src/providers/openai/embeddings.ts";
import { answering } from "./loopback.ts";

const base64 = (...numbers: number[]) => Buffer.from(Float32Array.from(numbers).buffer).toString("base64");
const reply = (...data: unknown[]) =>
  JSON.stringify({ data, model: "m", usage: { prompt_tokens: 3, total_tokens: 3 } });

test.each([{}, { dimensions: 256 }])("a request equals the SDK's, with %j", async (more) => {
  await using server = await answering("application/json", reply({ index: 0, embedding: base64(1) }));
  const client = new OpenAI({ apiKey: "none", baseURL: server.origin, maxRetries: 0 });
  await client.embeddings.create({ model: "m", input: ["a", "b"], ...more });
  const { path, body } = encodeEmbedding({ model: "m", input: ["a", "b"], ...more });
  expect(JSON.parse(body)).toEqual(JSON.parse(server.bodies[0] ?? ""));
  expect(path).toBe("/embeddings");
});

test("vectors come in the order of the input, as base64 or as numbers", () => {
  const { vectors, usage, servedModel } = decodeEmbedding(
    reply({ index: 1, embedding: [0.5, -1] }, { index: 0, embedding: base64(0.25, 2) }),
  );
  expect(vectors).toEqual([Float32Array.of(0.25, 2), Float32Array.of(0.5, -1)]);
  expect(usage).toMatchObject({ inputTokens: 3, outputTokens: 0, totalTokens: 3 });
  expect(servedModel).toBe("m");
});

test.each([
  "{",
  "{}",
  reply(5),
  reply({ index: 0 }),
  reply({ index: 0, embedding: "AAA=" }),
  reply({ index: 0, embedding: "" }),
  reply({ index: 0, embedding: [1, "2"] }),
  reply({ index: 1, embedding: [1] }),
  reply({ index: -1, embedding: [1] }),
  reply({ index: 0, embedding: [1] }, { index: 0, embedding: [2] }),
])("%s is malformed_reply", (body) => {
  expect(() => decodeEmbedding(body)).toThrow(expect.objectContaining({ kind: "malformed_reply" }));
});

test("an error in place of vectors is classified", () => {
  const body = JSON.stringify({ error: { message: "x", code: "insufficient_quota" } });
  expect(() => decodeEmbedding(body)).toThrow(Failure);
  expect(() => decodeEmbedding(body)).toThrow(expect.objectContaining({ kind: "quota_exhausted" }));
});
