import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChatResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { FailureKind } from "../../src/core/failure.ts";
import { redact } from "../../src/core/redact.ts";
import { httpProvider } from "../../src/providers/http.ts";
import { openaiDialect } from "../../src/providers/openai/dialect.ts";
import { decodeEmbedding } from "../../src/providers/openai/embeddings.ts";
import { createTransport, type Transport } from "../../src/wire/transport.ts";
import {
  type ExpectedCall,
  type ExpectedChoice,
  loadRecordings,
  type Recording,
  recordingsFolder,
} from "./recordings.ts";
import { type Replayed, replay } from "./replay.ts";
import { type RecordingServer, serveRecordings } from "./server.ts";

/** In bytes; 0 is the whole body at once. */
const PIECES = [1, 7, 64, 0];

/** What each recorded error is to the gateway, and when to try again. */
const FAILURES: Readonly<Record<string, { kind: FailureKind; retryAfterMs?: number }>> = {
  "openai/error-400-embeddings": { kind: "provider_bad_request" },
  "openai/error-400-empty-messages": { kind: "provider_bad_request" },
  "openai/error-400-unsupported-parameter": { kind: "provider_bad_request" },
  "openai/error-401": { kind: "provider_auth" },
  "openai/error-404-model": { kind: "model_not_found" },
  "openai/error-404-on-stream-request": { kind: "model_not_found" },
  "azure-openai/error-401": { kind: "provider_auth" },
  "azure-openai/error-404-deployment": { kind: "model_not_found" },
  "azure-openai/error-429": { kind: "provider_rate_limited", retryAfterMs: 1000 },
};

const FINISH_REASONS: Readonly<Record<string, string>> = {
  stop: "stop",
  length: "length",
  tool_calls: "tool_calls",
  function_call: "tool_calls",
  content_filter: "content_filter",
};

const folder = recordingsFolder();

if (folder === undefined) {
  test("no recordings were found", () => {
    console.log(
      "no recordings were found: LLM_RECORDINGS_DIR names no folder, and none lies beside the repository",
    );
    expect(process.env.CI, "CI must replay the recordings").not.toBe("true");
  });
} else {
  const recordings = loadRecordings(folder, ["openai", "azure-openai"]);
  describe("recordings of OpenAI and Azure", () => replayAll(recordings));
}

function replayAll(recordings: readonly Recording[]): void {
  const replayed = new Set<string>();
  let server: RecordingServer;
  let transport: Transport;

  beforeAll(async () => {
    server = await serveRecordings(recordings);
    transport = createTransport({
      origin: server.origin,
      maxConnections: 2,
      connectTimeoutMs: 5000,
      bufferedReads: 64,
    });
  });

  afterAll(async () => {
    await transport.close();
    await server[Symbol.asyncDispose]();
    console.log(
      `replayed ${replayed.size} recordings of OpenAI and Azure in pieces of ${PIECES.join(", ")} bytes`,
    );
  });

  test.each(recordings.map((recording) => [`${recording.provider}/${recording.name}`, recording] as const))(
    "%s",
    async (id, recording) => {
      for (const bytes of PIECES) {
        const basePath = `/${id}/${bytes}`;
        const { expected } = recording.meta;
        if (expected.embeddings !== undefined) {
          await checkEmbeddings(recording, await post(transport, `${basePath}/embeddings`));
          continue;
        }
        const dialect = openaiDialect({ maxTokensField: "max_completion_tokens", streamUsage: true });
        const provider = httpProvider(dialect, { basePath, query: "", headers: {} }, transport);
        const result = await replay(provider, recording.meta.request.stream);
        if (expected.error) checkFailure(id, recording, result);
        else checkReply(recording, result);
      }
      replayed.add(id);
    },
  );
}

async function post(transport: Transport, path: string): Promise<string> {
  const reply = await transport.post(path, {}, "{}", new AbortController().signal);
  expect(reply.status).toBe(200);
  return reply.text(1024 * 1024);
}

async function checkEmbeddings({ meta, request }: Recording, body: string): Promise<void> {
  const { vectors, usage, servedModel } = decodeEmbedding(body);
  const asked: { dimensions?: number } = JSON.parse(request ?? "{}");
  expect(vectors).toHaveLength(meta.expected.embeddings ?? 0);
  // Both are text-embedding-3-small, whose vectors have length 1 whatever their dimensions.
  for (const vector of vectors) {
    expect(vector).toHaveLength(asked.dimensions ?? 1536);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 3);
  }
  expect(usage?.inputTokens).toBe(meta.expected.input_tokens);
  expect(usage?.totalTokens).toBe(meta.expected.input_tokens);
  expect(servedModel).toBe(meta.expected.model);
}

function checkFailure(id: string, { meta: { expected } }: Recording, { response, failure }: Replayed): void {
  expect(response).toBeUndefined();
  expect({ kind: failure?.kind, retryAfterMs: failure?.retryAfterMs }).toEqual({
    retryAfterMs: undefined,
    ...FAILURES[id],
  });
  const { http_status, message, code = "", type = "" } = expected.error ?? { http_status: 0, message: "" };
  for (const fact of [`HTTP ${http_status}`, message, code, type])
    expect(failure?.operator).toContain(redact(fact));
  if (failure?.traits.faultOf === "caller") expect(failure.message).toBe(message);
  else expect(failure?.message).not.toContain(message);
}

function checkReply({ meta: { expected } }: Recording, { response, failure, attempt }: Replayed): void {
  expect(failure).toBeUndefined();
  expect(response && choicesOf(response)).toEqual((expected.choices ?? [expected]).map(saidBy));
  expect(attempt.servedModel).toBe(expected.model);
  if (expected.input_tokens === undefined) {
    expect(attempt.usage).toBeUndefined();
    return;
  }
  expect(attempt.usage).toMatchObject({
    inputTokens: expected.input_tokens,
    outputTokens: expected.output_tokens,
    cachedInputTokens: expected.cached_input_tokens ?? 0,
    cacheWriteTokens: expected.cache_write_tokens ?? 0,
    reasoningTokens: expected.reasoning_tokens ?? 0,
    provenance: "measured",
  });
}

/** One choice, with arguments parsed, in a form that both sides have. */
interface Said {
  readonly text: string;
  readonly thinking: string;
  readonly refusal: string;
  readonly calls: readonly unknown[];
  readonly finishReason: string | undefined;
}

function choicesOf(response: ChatResponse): Said[] {
  const choices = response.choices.length > 0 ? response.choices : [response];
  return choices.map(({ message, finishReason }) => ({ ...partsOf(message), finishReason }));
}

function partsOf(message: Message | undefined): Omit<Said, "finishReason"> {
  const said = { text: message?.content ?? "", thinking: "", refusal: "", calls: [] as unknown[] };
  for (const { part } of message?.parts ?? []) {
    if (part.case === "reasoning") said.thinking += part.value.text;
    else if (part.case === "refusal") said.refusal += part.value;
    else if (part.case === "toolCall") {
      const { id, name, input } = part.value;
      said.calls.push(
        input ? { id, name, input } : { id, name, arguments: JSON.parse(part.value.arguments) },
      );
    }
  }
  return said;
}

function saidBy(expected: ExpectedChoice): Said {
  const { text = "", thinking = "", refusal = "", finish_reason = "" } = expected;
  const calls = [...(expected.tool_calls ?? []), ...(expected.function_call ? [expected.function_call] : [])];
  const finishReason =
    calls.length > 0 && finish_reason === "stop" ? "tool_calls" : FINISH_REASONS[finish_reason];
  return { text, thinking, refusal, calls: calls.map(callOf), finishReason };
}

function callOf({ id = "", name, arguments: parsed, input }: ExpectedCall): unknown {
  return input === undefined ? { id, name, arguments: parsed } : { id, name, input };
}
