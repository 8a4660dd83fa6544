/** Where Claude is served, and in what the platforms differ. */
import type { Wish } from "../dialect.ts";

/** The kind of provider whose pieces of an answer these are, on every platform. */
export const CLAUDE = "claude";

/** In what the platforms that serve Claude differ. */
export interface ClaudeTraits {
  /** Below the base URL, with the model's name where it stands there. */
  path(wish: Wish): string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent in the body in place of the model; undefined where the path does not name that. */
  readonly version: string | undefined;
  /** Whether the body says that a stream is wanted. */
  readonly streamField: boolean;
}

/**
 * Anthropic's own API. The version after this one differs in that no model takes
 * sampling parameters any more, which callers of older models still send.
 * https://platform.claude.com/docs/en/api/versioning
 */
export const ANTHROPIC: ClaudeTraits = {
  path: () => "/v1/messages",
  headers: { "anthropic-version": "2023-06-01" },
  version: undefined,
  streamField: true,
};

/** On Vertex AI, where the model stands in the path below the publisher's, and the verb says whether it streams. */
export const VERTEX: ClaudeTraits = {
  path: ({ model, stream }) =>
    `/publishers/anthropic/models/${encodeURIComponent(model)}:${stream ? "streamRawPredict" : "rawPredict"}`,
  headers: {},
  version: "vertex-2023-10-16",
  streamField: true,
};

/** By Bedrock's InvokeModel, which knows of a stream by its path alone. */
export const BEDROCK: ClaudeTraits = {
  path: ({ model, stream }) =>
    `/model/${encodeURIComponent(model)}/${stream ? "invoke-with-response-stream" : "invoke"}`,
  headers: {},
  version: "bedrock-2023-05-31",
  streamField: false,
};
