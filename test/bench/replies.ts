/** What each provider says in the benchmark of the adapters: a reply of 0.6 kB, an error, and the events of a stream. */
import { eventMessage } from "../support/eventstream.ts";

export interface Replies {
  readonly reply: string;
  /** Of a status 429. */
  readonly error: string;
  readonly contentType: string;
  /** Frame by frame, as a model that speaks word by word sends them. */
  readonly stream: readonly Buffer[];
}

/** Words in each stream. */
export const WORDS = 500;
const TEXT = "The gateway says what each call costs. ".repeat(6);
const WORD = " token";
/** Against those who guess words from the lengths of packets; OpenAI, Mistral and Bedrock add the like. */
const PADDING = "abcdefghijklmnopqrstu";

function said<T>(before: readonly T[], word: T, after: readonly T[]): T[] {
  return [...before, ...Array<T>(WORDS).fill(word), ...after];
}

function sse(events: readonly object[], framed: (json: string, event: object) => string): Buffer[] {
  return events.map((event) => Buffer.from(framed(JSON.stringify(event), event)));
}

const dataOnly = (json: string) => `data: ${json}\n\n`;

const openaiUsage = {
  prompt_tokens: 120,
  completion_tokens: 100,
  total_tokens: 220,
  prompt_tokens_details: { cached_tokens: 0 },
};
const openaiHead = { id: "chatcmpl-bench", created: 1_755_000_000, model: "gpt-4o-2024-08-06" };
const chunk = (delta: object, finish_reason: string | null, rest: object = {}) => ({
  ...openaiHead,
  object: "chat.completion.chunk",
  choices: [{ index: 0, delta, logprobs: null, finish_reason }],
  ...rest,
});

export const OPENAI: Replies = {
  reply: JSON.stringify({
    ...openaiHead,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: TEXT, refusal: null },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
    usage: openaiUsage,
    service_tier: "default",
  }),
  error: JSON.stringify({
    error: {
      message: "Rate limit reached for gpt-4o. Please try again in 20s.",
      type: "requests",
      param: null,
      code: "rate_limit_exceeded",
    },
  }),
  contentType: "text/event-stream",
  stream: sse(
    said(
      [chunk({ role: "assistant", content: "" }, null)],
      chunk({ content: WORD }, null, { usage: null, obfuscation: PADDING }),
      [chunk({}, "stop"), { ...openaiHead, choices: [], usage: openaiUsage }],
    ),
    dataOnly,
  ),
};

export const MISTRAL: Replies = {
  reply: OPENAI.reply,
  error: JSON.stringify({
    object: "error",
    message: "Rate limit exceeded",
    type: "rate_limited",
    param: null,
    code: "1300",
  }),
  contentType: "text/event-stream",
  stream: sse(
    said([chunk({ role: "assistant", content: "" }, null)], chunk({ content: WORD }, null, { p: PADDING }), [
      chunk({ content: "" }, "stop", { usage: openaiUsage }),
    ]),
    dataOnly,
  ),
};

const claudeUsage = {
  input_tokens: 120,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: 100,
  service_tier: "standard",
};
const claudeHead = { id: "msg_bench", type: "message", role: "assistant", model: "claude-sonnet-5" };

export const CLAUDE: Replies = {
  reply: JSON.stringify({
    ...claudeHead,
    content: [{ type: "text", text: TEXT }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: claudeUsage,
  }),
  error: JSON.stringify({
    type: "error",
    error: { type: "rate_limit_error", message: "Number of request tokens has exceeded your rate limit." },
    request_id: "req_bench",
  }),
  contentType: "text/event-stream",
  stream: sse(
    said<object>(
      [
        { type: "message_start", message: { ...claudeHead, content: [], usage: claudeUsage } },
        { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      ],
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: WORD } },
      [
        { type: "content_block_stop", index: 0 },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 100 } },
        { type: "message_stop" },
      ],
    ),
    (json, event) => `event: ${(event as { type: string }).type}\ndata: ${json}\n\n`,
  ),
};

const usageMetadata = { promptTokenCount: 120, candidatesTokenCount: 100, totalTokenCount: 220 };
const candidate = (text: string, rest: object = {}) => ({
  candidates: [{ content: { parts: [{ text }], role: "model" }, index: 0, ...rest }],
  usageMetadata,
  modelVersion: "gemini-2.5-flash",
  responseId: "bench",
});

export const GEMINI: Replies = {
  reply: JSON.stringify(candidate(TEXT, { finishReason: "STOP" }), null, 2),
  error: JSON.stringify({
    error: {
      code: 429,
      message: "You exceeded your current quota.",
      status: "RESOURCE_EXHAUSTED",
      details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "48s" }],
    },
  }),
  contentType: "text/event-stream",
  stream: sse(
    said([], candidate(WORD), [candidate("", { finishReason: "STOP" })]),
    (json) => `data: ${json}\r\n\r\n`,
  ),
};

const bedrockUsage = { inputTokens: 120, outputTokens: 100, totalTokens: 220 };
const p = PADDING;

export const BEDROCK: Replies = {
  reply: JSON.stringify({
    metrics: { latencyMs: 500 },
    output: { message: { content: [{ text: TEXT }], role: "assistant" } },
    stopReason: "end_turn",
    usage: bedrockUsage,
  }),
  error: JSON.stringify({ message: "Too many requests, please wait before trying again." }),
  contentType: "application/vnd.amazon.eventstream",
  stream: said(
    [eventMessage("messageStart", { role: "assistant", p })],
    eventMessage("contentBlockDelta", { contentBlockIndex: 0, delta: { text: WORD }, p }),
    [
      eventMessage("contentBlockStop", { contentBlockIndex: 0, p }),
      eventMessage("messageStop", { stopReason: "end_turn", p }),
      eventMessage("metadata", { usage: bedrockUsage, metrics: { latencyMs: 500 }, p }),
    ],
  ),
};
