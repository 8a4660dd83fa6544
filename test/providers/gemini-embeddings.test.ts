import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { GoogleGenAI } from "@google/genai";
import { describe, expect, test } from "vitest";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { EmbeddingFormat } from "../../src/providers/dialect.ts";
import { decodeEmbedding, geminiEmbeddings } from "../../src/providers/gemini/embeddings.ts";
import * as vertex from "../../src/providers/vertex_ai/embeddings.ts";
import { answers, scriptedProvider } from "../support/provider.ts";

const TEXTS = ["One", "two"];
const VERTEX_MODEL = "text-embedding-005";

function encode(
  format: EmbeddingFormat,
  model: string,
  request: MessageInitShape<typeof EmbedRequestSchema>,
  inputType?: string,
) {
  const { path, body } = format.encode(create(EmbedRequestSchema, request), {
    model,
    texts: TEXTS,
    inputType,
  });
  return { path, body: JSON.parse(body) };
}

const toGemini = (request: MessageInitShape<typeof EmbedRequestSchema>, inputType?: string) =>
  encode(geminiEmbeddings, "gemini-embedding-001", request, inputType);
const toVertex = (request: MessageInitShape<typeof EmbedRequestSchema>, inputType?: string) =>
  encode(vertex.vertexEmbeddings(VERTEX_MODEL), VERTEX_MODEL, request, inputType);

describe("a request equals the SDK's", () => {
  test("to Gemini", async () => {
    await using server = await scriptedProvider(answers(200, { embeddings: [] }));
    const sdk = new GoogleGenAI({
      apiKey: "k",
      apiVersion: "v1beta",
      httpOptions: { baseUrl: server.origin },
    });
    const config = { outputDimensionality: 8, taskType: "RETRIEVAL_QUERY", title: "t" };
    await sdk.models.embedContent({ model: "gemini-embedding-001", contents: TEXTS, config });
    const [theirs] = server.requests;
    const { path, body } = toGemini({ dimensions: 8, extraBody: { title: "t" } }, "RETRIEVAL_QUERY");
    expect(`/v1beta${path}`).toBe(theirs?.url);
    const sent = JSON.parse(theirs?.body ?? "");
    // The SDK says that the user speaks, which nothing depends on.
    for (const { content } of sent.requests) delete content.role;
    expect(body).toEqual(sent);
  });

  test("to Vertex AI", async () => {
    await using server = await scriptedProvider(answers(200, { predictions: [] }));
    const httpOptions = { baseUrl: server.origin, headers: { authorization: "Bearer t" } };
    const sdk = new GoogleGenAI({ vertexai: true, apiKey: "k", apiVersion: "v1", httpOptions });
    const config = { outputDimensionality: 8, taskType: "CLUSTERING", autoTruncate: false };
    await sdk.models.embedContent({ model: VERTEX_MODEL, contents: TEXTS, config });
    const [theirs] = server.requests;
    const extraBody = { parameters: { autoTruncate: false } };
    const { path, body } = toVertex({ dimensions: 8, extraBody }, "CLUSTERING");
    expect(theirs?.url).toContain(path);
    expect(body).toEqual(JSON.parse(theirs?.body ?? ""));
  });
});

test("Vertex AI's newer models are asked as the SDK asks them, one text at a time", async () => {
  const model = "gemini-embedding-2";
  const format = vertex.vertexEmbeddings(model);
  const usageMetadata = { promptTokenCount: 3, totalTokenCount: 3 };
  const reply = { embedding: { values: [1, 2] }, usageMetadata };
  await using server = await scriptedProvider(answers(200, reply));
  const httpOptions = { baseUrl: server.origin, headers: { authorization: "Bearer t" } };
  const sdk = new GoogleGenAI({ vertexai: true, apiKey: "k", apiVersion: "v1", httpOptions });
  const config = { outputDimensionality: 8, taskType: "CLUSTERING", autoTruncate: false };
  const said = await sdk.models.embedContent({ model, contents: "One", config });
  const [theirs] = server.requests;
  const extraBody = { embedContentConfig: { autoTruncate: false } };
  const request = create(EmbedRequestSchema, { dimensions: 8, extraBody });
  const { path, body } = format.encode(request, { model, texts: ["One"], inputType: "CLUSTERING" });
  expect(theirs?.url).toContain(path);
  const sent = JSON.parse(theirs?.body ?? "");
  delete sent.content.role;
  expect(JSON.parse(body)).toEqual(sent);
  expect(format.maxTexts).toBe(1);
  const { vectors, usage } = format.decode(JSON.stringify(reply), {});
  expect(vectors).toEqual(said.embeddings?.map(({ values }) => values));
  expect(usage).toMatchObject({ inputTokens: 3, outputTokens: 0, provenance: "measured" });
});

test("without a length none is sent", () => {
  expect(Object.keys(toGemini({}).body.requests[0])).toEqual(["model", "content"]);
  expect(toVertex({}).body).toEqual({ instances: [{ content: "One" }, { content: "two" }] });
});

test.each([
  ["model", { model: "m" }, toGemini],
  ["output_dimensionality", { output_dimensionality: 8 }, toGemini],
  ["taskType", { taskType: "CLUSTERING" }, toGemini],
  ["instances", { instances: [] }, toVertex],
  ["outputDimensionality", { parameters: { outputDimensionality: 8 } }, toVertex],
])("nobody sets %s by hand", (field, extraBody, encoded) => {
  expect(() => encoded({ extraBody })).toThrow(
    expect.objectContaining({
      kind: "invalid_request",
      violations: [{ field: `extra_body.${field}`, description: "is set by the gateway" }],
    }),
  );
});

test("Vertex AI predicts for the newest models one text at a time", () => {
  expect(vertex.vertexEmbeddings("gemini-embedding-001").maxTexts).toBe(1);
  expect(vertex.vertexEmbeddings(VERTEX_MODEL).maxTexts).toBe(250);
});

test("vectors come in the order of the texts, with what was counted", () => {
  const embedding = (values: number[], token_count?: number) => ({
    embeddings: { values, statistics: { token_count } },
  });
  const counted = vertex.decodeEmbedding(
    JSON.stringify({ predictions: [embedding([1, 2], 3), embedding([3, 4], 4)] }),
  );
  expect(counted.vectors.map((vector) => [...vector])).toEqual([
    [1, 2],
    [3, 4],
  ]);
  expect(counted.usage).toMatchObject({ inputTokens: 7, outputTokens: 0, provenance: "measured" });
  const uncounted = vertex.decodeEmbedding(
    JSON.stringify({ predictions: [embedding([1], 3), embedding([2])] }),
  );
  expect(uncounted.usage).toBeUndefined();
  const usageMetadata = { promptTokenCount: 5, totalTokenCount: 5 };
  const ours = decodeEmbedding(JSON.stringify({ embeddings: [{ values: [1] }], usageMetadata }));
  expect(ours.usage).toMatchObject({ inputTokens: 5, outputTokens: 0 });
  expect(decodeEmbedding('{"embeddings":[{"values":[1]}]}').usage).toBeUndefined();
});

test.each([
  "{",
  "[]",
  "{}",
  '{"embeddings":[{}],"predictions":[{}]}',
  '{"embeddings":[{"values":["1"]}],"predictions":[null]}',
])("%s are no embeddings", (body) => {
  expect(() => decodeEmbedding(body)).toThrow(expect.objectContaining({ kind: "malformed_reply" }));
  expect(() => vertex.decodeEmbedding(body)).toThrow(expect.objectContaining({ kind: "malformed_reply" }));
});

test("an error in their place is one", () => {
  const body = '{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"slow"}}';
  expect(() => decodeEmbedding(body)).toThrow(expect.objectContaining({ kind: "provider_rate_limited" }));
  expect(() => vertex.decodeEmbedding(body)).toThrow(
    expect.objectContaining({ kind: "provider_rate_limited" }),
  );
});
