import { GoogleGenAI } from "@google/genai";
import { describe, expect, test } from "vitest";
import type { EmbeddingRequest } from "../../src/providers/embedding.ts";
import { decodeEmbedding, encodeEmbedding } from "../../src/providers/gemini/embeddings.ts";
import * as vertex from "../../src/providers/vertex_ai/embeddings.ts";
import { answers, scriptedProvider } from "../support/provider.ts";

const REQUEST: EmbeddingRequest = { model: "gemini-embedding-001", input: ["One", "two"], dimensions: 8 };
const RESOURCE = "/publishers/google/models/text-embedding-005";

describe("a request equals the SDK's", () => {
  test("to Gemini", async () => {
    await using server = await scriptedProvider(answers(200, { embeddings: [] }));
    const sdk = new GoogleGenAI({
      apiKey: "k",
      apiVersion: "v1beta",
      httpOptions: { baseUrl: server.origin },
    });
    const contents = ["One", "two"];
    await sdk.models.embedContent({ model: REQUEST.model, contents, config: { outputDimensionality: 8 } });
    const [theirs] = server.requests;
    const { path, body } = encodeEmbedding(REQUEST);
    expect(`/v1beta${path}`).toBe(theirs?.url);
    const sent = JSON.parse(theirs?.body ?? "");
    // The SDK says that the user speaks, which nothing depends on.
    for (const { content } of sent.requests) delete content.role;
    expect(JSON.parse(body)).toEqual(sent);
  });

  test("to Vertex AI", async () => {
    await using server = await scriptedProvider(answers(200, { predictions: [] }));
    const httpOptions = { baseUrl: server.origin, headers: { authorization: "Bearer t" } };
    const sdk = new GoogleGenAI({ vertexai: true, apiKey: "k", apiVersion: "v1", httpOptions });
    const model = "text-embedding-005";
    const contents = ["One", "two"];
    await sdk.models.embedContent({ model, contents, config: { outputDimensionality: 8 } });
    const [theirs] = server.requests;
    const { path, body } = vertex.encodeEmbedding({ ...REQUEST, model }, RESOURCE);
    expect(theirs?.url).toContain(path);
    expect(JSON.parse(body)).toEqual(JSON.parse(theirs?.body ?? ""));
  });
});

test("without a length none is sent", () => {
  const plain = { model: "m", input: ["One"] };
  expect(encodeEmbedding(plain).body).not.toContain("outputDimensionality");
  expect(vertex.encodeEmbedding(plain, RESOURCE).body).toBe('{"instances":[{"content":"One"}]}');
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
