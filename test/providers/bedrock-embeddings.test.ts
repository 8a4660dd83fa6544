/** Titan's and Cohere's embeddings, by their documentation; Titan's reply is held to a recording too. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import { bedrockEmbeddings, decodeCohere, decodeTitan } from "../../src/providers/bedrock/embeddings.ts";

const TITAN = "amazon.titan-embed-text-v2:0";
const COHERE = "us.cohere.embed-v4:0";

function encode(
  model: string,
  texts: string[],
  request: MessageInitShape<typeof EmbedRequestSchema> = {},
  inputType?: string,
) {
  const wire = bedrockEmbeddings(model)?.encode(create(EmbedRequestSchema, request), {
    model,
    texts,
    inputType,
  });
  return { path: wire?.path, body: JSON.parse(wire?.body ?? "") };
}

describe("a model", () => {
  test.each([
    [TITAN, 1],
    ["amazon.titan-embed-text-v1", 1],
    ["cohere.embed-english-v3", 96],
    [COHERE, 96],
    ["arn:aws:bedrock:us-east-1:1:inference-profile/us.cohere.embed-v4:0", 96],
    ["amazon.nova-lite-v1:0", undefined],
    ["cohere.command-r-v1:0", undefined],
    ["anthropic.claude-haiku-4-5-20251001-v1:0", undefined],
  ])("%s takes so many texts: %s", (model, texts) => {
    expect(bedrockEmbeddings(model)?.maxTexts).toBe(texts);
  });
});

describe("a request", () => {
  test("to Titan", () => {
    expect(encode(TITAN, ["One"])).toEqual({
      path: "/model/amazon.titan-embed-text-v2%3A0/invoke",
      body: { inputText: "One" },
    });
    const { body } = encode(TITAN, ["One"], { dimensions: 256, extraBody: { normalize: false } });
    expect(body).toEqual({ inputText: "One", dimensions: 256, normalize: false });
  });

  test("to Cohere, which must be told what for", () => {
    expect(encode(COHERE, ["One", "two"]).body).toEqual({
      texts: ["One", "two"],
      input_type: "search_document",
    });
    const request = { dimensions: 256, extraBody: { truncate: "END" } };
    expect(encode(COHERE, ["One"], request, "clustering").body).toEqual({
      texts: ["One"],
      input_type: "clustering",
      output_dimension: 256,
      truncate: "END",
    });
  });

  test.each([
    [TITAN, "inputText"],
    [TITAN, "dimensions"],
    [COHERE, "texts"],
    [COHERE, "input_type"],
    [COHERE, "output_dimension"],
  ])("to %s has no %s by hand", (model, field) => {
    expect(() => encode(model, ["One"], { extraBody: { [field]: 1 } })).toThrow(
      expect.objectContaining({
        violations: [{ field: `extra_body.${field}`, description: "is set by the gateway" }],
      }),
    );
  });
});

describe("a reply", () => {
  const headers = { "x-amzn-bedrock-input-token-count": "7" };

  test("of Titan, counted in its body or in the headers", () => {
    const whole = decodeTitan('{"embedding":[1,2],"inputTextTokenCount":3}', {});
    expect(whole).toMatchObject({ vectors: [[1, 2]], usage: { inputTokens: 3, provenance: "measured" } });
    expect(decodeTitan('{"embedding":[1,2]}', headers).usage).toMatchObject({ inputTokens: 7 });
    expect(decodeTitan('{"embedding":[1,2]}', {}).usage).toBeUndefined();
  });

  test.each(['{"embeddings":[[1,2],[3,4]]}', '{"embeddings":{"float":[[1,2],[3,4]],"int8":[[1]]}}'])(
    "of Cohere, counted in the headers: %s",
    (body) => {
      expect(decodeCohere(body, headers)).toMatchObject({
        vectors: [
          [1, 2],
          [3, 4],
        ],
        usage: { inputTokens: 7, outputTokens: 0, provenance: "measured" },
      });
      expect(decodeCohere(body, {}).usage).toBeUndefined();
    },
  );

  test.each([
    "{",
    "{}",
    '{"embedding":["1"],"embeddings":[["1"]]}',
    '{"embedding":{},"embeddings":{"int8":[[1]]}}',
  ])("%s is malformed_reply", (body) => {
    const malformed = expect.objectContaining({ kind: "malformed_reply" });
    expect(() => decodeTitan(body, {})).toThrow(malformed);
    expect(() => decodeCohere(body, {})).toThrow(malformed);
  });
});
