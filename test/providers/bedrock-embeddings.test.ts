/** Titan's embeddings: what is asked, where the SDK asks it, and what is no answer. */
import { InvokeModelCommand } from "@aws-sdk/client-bedrock-runtime";
import { expect, test } from "vitest";
import { decodeEmbedding, encodeEmbedding } from "../../src/providers/bedrock/embeddings.ts";
import { bedrockClient } from "../support/bedrock-client.ts";
import { answers, scriptedProvider } from "../support/provider.ts";
import { failureOf } from "./openai-chunks.ts";

const model = "amazon.titan-embed-text-v2:0";

test("a text goes where the SDK sends it", async () => {
  await using server = await scriptedProvider(answers(200, {}));
  const { path, body } = encodeEmbedding({ model, input: ["a"], dimensions: 256 });
  await bedrockClient(server.origin).send(
    new InvokeModelCommand({ modelId: model, body: Buffer.from(body) }),
  );
  expect(server.requests).toMatchObject([{ url: path, body: '{"inputText":"a","dimensions":256}' }]);
  expect(encodeEmbedding({ model, input: ["a"] }).body).toBe('{"inputText":"a"}');
});

test.each([[[]], [["a", "b"]]])("one text a call, and not %j", (input) => {
  const failure = failureOf(() => encodeEmbedding({ model, input }));
  expect(failure.kind).toBe("invalid_request");
  expect(failure.violations.map(({ field }) => field)).toEqual(["input"]);
});

test.each(["{", "[]", "{}", '{"embedding":["a"]}'])("%s is no embedding", (body) => {
  expect(failureOf(() => decodeEmbedding(body, {})).kind).toBe("malformed_reply");
});
