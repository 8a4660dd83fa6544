/** Anthropic, and Claude on Vertex AI, as they were recorded. */
import { claudeDialect } from "../../src/providers/claude/dialect.ts";
import { ANTHROPIC, VERTEX } from "../../src/providers/claude/traits.ts";
import { replaySuite } from "./suite.ts";

replaySuite({
  title: "Anthropic and Claude on Vertex AI",
  providers: ["anthropic", "vertex-anthropic"],
  dialectFor: ({ provider }) => claudeDialect(provider === "anthropic" ? ANTHROPIC : VERTEX),
  failures: {
    "anthropic/error-400-prompt-too-long": { kind: "context_too_long" },
    "anthropic/error-400-shape": { kind: "provider_bad_request" },
    "anthropic/error-401": { kind: "provider_auth" },
    "anthropic/error-401-on-stream-request": { kind: "provider_auth" },
    "anthropic/error-404-model": { kind: "model_not_found" },
    "anthropic/error-529": { kind: "provider_overloaded" },
  },
  finishReasons: {
    end_turn: "stop",
    stop_sequence: "stop",
    max_tokens: "length",
    tool_use: "tool_calls",
    pause_turn: "pause",
    refusal: "content_filter",
  },
});
