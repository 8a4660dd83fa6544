/** Bedrock, as it was recorded: Converse, and the models' own formats on InvokeModel. */
import { expect } from "vitest";
import { bedrockDialect } from "../../src/providers/bedrock/dialect.ts";
import { decodeEmbedding } from "../../src/providers/bedrock/embeddings.ts";
import type { Recording } from "./recordings.ts";
import { type Post, replaySuite } from "./suite.ts";

replaySuite({
  title: "Bedrock",
  providers: ["bedrock"],
  dialectFor: () => bedrockDialect(),
  failures: {
    "bedrock/error-400-needs-inference-profile": { kind: "provider_bad_request" },
    "bedrock/error-400-on-stream-request": { kind: "model_not_found" },
    "bedrock/error-400-prompt-too-long": { kind: "context_too_long" },
    "bedrock/error-403-expired-token": { kind: "provider_auth" },
    "bedrock/error-403-model-access": { kind: "provider_permission" },
    "bedrock/error-404-retired-model": { kind: "model_not_found" },
  },
  finishReasons: {
    end_turn: "stop",
    stop_sequence: "stop",
    max_tokens: "length",
    tool_use: "tool_calls",
    guardrail_intervened: "content_filter",
    stop: "stop",
    length: "length",
    LENGTH: "length",
  },
  checkOther: checkEmbedding,
});

async function checkEmbedding({ meta }: Recording, post: Post): Promise<boolean> {
  if (meta.expected.embeddings === undefined) return false;
  const { vectors, usage } = decodeEmbedding(await post("/invoke"), meta.headers);
  expect(vectors).toHaveLength(meta.expected.embeddings);
  expect(vectors[0]).toHaveLength(1536);
  expect(usage).toMatchObject({ inputTokens: meta.expected.input_tokens, outputTokens: 0 });
  return true;
}
