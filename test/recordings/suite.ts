/**
 * Replays recordings of real providers through the real adapter, over a real socket, in pieces of several sizes, and
 * compares what the gateway makes of them with what the recordings are known to say.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ChatResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Message } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { FailureKind } from "../../src/core/failure.ts";
import { redact } from "../../src/core/redact.ts";
import type { Dialect } from "../../src/providers/dialect.ts";
import { httpProvider } from "../../src/providers/http.ts";
import { decompressed } from "../../src/wire/decompress.ts";
import { createTransport, type Transport } from "../../src/wire/transport.ts";
import { NO_CREDENTIALS } from "../support/provider.ts";
import {
  type ExpectedCall,
  type ExpectedChoice,
  loadRecordings,
  type Recording,
  recordingsFolder,
} from "./recordings.ts";
import { type Replayed, replay } from "./replay.ts";
import { PIECES, type RecordingServer, serveRecordings, waysToPlay } from "./server.ts";

/** What the recordings of one provider are replayed with. */
export interface Suite {
  /** For people. */
  readonly title: string;
  /** Folders of the recordings. */
  readonly providers: readonly string[];
  dialectFor(recording: Recording): Dialect;
  /** What each recorded error is to the gateway, and when to try again; and each answer that stands for one. */
  readonly failures: Readonly<Record<string, ExpectedFailure>>;
  /** The provider's reasons to stop, in the gateway's words. */
  readonly finishReasons: Readonly<Record<string, string>>;
  /** For what is no chat; a recording for which it returns true has been checked. */
  readonly checkOther?: (recording: Recording, post: Post) => Promise<boolean>;
  /**
   * Where an expectation is held to be wrong, or says something in another form than the gateway: the difference
   * to what is expected, with the evidence in a comment beside it.
   */
  readonly corrections?: Readonly<Record<string, Partial<Said> & { readonly usage?: object }>>;
}

export interface ExpectedFailure {
  readonly kind: FailureKind;
  readonly retryAfterMs?: number;
}

/** Gives the body of the reply, and checks that it has the recording's status. */
export type Post = (path: string) => Promise<string>;

export function replaySuite(suite: Suite): void {
  const folder = recordingsFolder();
  if (folder === undefined) {
    test(`recordings of ${suite.title}`, () => {
      console.log(
        "no recordings were found: LLM_RECORDINGS_DIR names no folder, and none lies beside the repository",
      );
      expect(process.env.CI, "CI must replay the recordings").not.toBe("true");
    });
    return;
  }
  const recordings = loadRecordings(folder, suite.providers);
  describe(`recordings of ${suite.title}`, () => replayAll(suite, recordings));
}

function replayAll(suite: Suite, recordings: readonly Recording[]): void {
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
      `replayed ${replayed.size} recordings of ${suite.title} in pieces of ${PIECES.join(", ")} bytes`,
    );
  });

  test.each(recordings.map((recording) => [`${recording.provider}/${recording.name}`, recording] as const))(
    "%s",
    async (id, recording) => {
      for (const way of waysToPlay(recording)) {
        const basePath = `/${id}/${way}`;
        if (await suite.checkOther?.(recording, (path) => post(transport, recording, basePath + path)))
          continue;
        const endpoint = { basePath, query: "", headers: {}, credentials: NO_CREDENTIALS };
        const provider = httpProvider(suite.dialectFor(recording), endpoint, transport);
        const result = await replay(provider, recording.meta.request.stream);
        if (recording.meta.expected.error || suite.failures[id]) checkFailure(suite, id, recording, result);
        else checkReply(suite, id, recording, result);
      }
      replayed.add(id);
    },
  );
}

async function post(transport: Transport, { meta }: Recording, path: string): Promise<string> {
  const reply = decompressed(await transport.post(path, {}, "{}", new AbortController().signal));
  expect(reply.status).toBe(meta.status);
  return reply.text(1024 * 1024);
}

function checkFailure(
  { failures }: Suite,
  id: string,
  { meta: { status, expected } }: Recording,
  { response, failure }: Replayed,
): void {
  expect(response).toBeUndefined();
  expect({ kind: failure?.kind, retryAfterMs: failure?.retryAfterMs }).toEqual({
    retryAfterMs: undefined,
    ...failures[id],
  });
  const { http_status = status, message = "", code = "", type = "" } = expected.error ?? {};
  for (const fact of [`HTTP ${http_status}`, message, code, type])
    expect(failure?.operator).toContain(redact(String(fact)));
  if (!message) return;
  if (failure?.traits.faultOf === "caller") expect(failure.message).toBe(message);
  else expect(failure?.message).not.toContain(message);
}

function checkReply(
  { finishReasons, corrections = {} }: Suite,
  id: string,
  { meta: { expected } }: Recording,
  { response, failure, attempt }: Replayed,
): void {
  const { usage, ...said } = corrections[id] ?? {};
  expect(failure).toBeUndefined();
  expect(response && choicesOf(response)).toEqual(
    (expected.choices ?? [expected]).map((choice) => ({ ...saidBy(choice, finishReasons), ...said })),
  );
  if (expected.model !== undefined) expect(attempt.servedModel).toBe(expected.model);
  if (expected.input_tokens === undefined && !usage) {
    expect(attempt.usage).toBeUndefined();
    return;
  }
  expect(attempt.usage).toMatchObject({
    inputTokens: expected.total_input_tokens ?? expected.input_tokens,
    outputTokens: expected.output_tokens,
    cachedInputTokens: expected.cached_input_tokens ?? 0,
    cacheWriteTokens: expected.cache_write_tokens ?? 0,
    reasoningTokens: expected.reasoning_tokens ?? 0,
    provenance: "measured",
    ...usage,
  });
}

/** One choice, with arguments parsed, in a form that both sides have. */
export interface Said {
  readonly text: string;
  readonly thinking: string;
  readonly refusal: string;
  readonly calls: readonly unknown[];
  readonly finishReason: string | undefined;
}

function choicesOf(response: ChatResponse): Said[] {
  const { choices, message, finishReason } = response;
  const all = choices.length > 0 ? choices : [{ message, finishReason }];
  return all.map((choice) => ({ ...partsOf(choice.message), finishReason: choice.finishReason }));
}

function partsOf(message: Message | undefined): Omit<Said, "finishReason"> {
  const said = { text: message?.content ?? "", thinking: "", refusal: "", calls: [] as unknown[] };
  for (const { part } of message?.parts ?? []) {
    if (part.case === "text") said.text += part.value;
    else if (part.case === "reasoning") said.thinking += part.value.text;
    else if (part.case === "refusal") said.refusal += part.value;
    else if (part.case === "toolCall") {
      const { id, name, input } = part.value;
      said.calls.push(input ? { id, name, input } : { id, name, arguments: parsed(part.value.arguments) });
    }
  }
  return said;
}

/** Arguments that were cut off stay text. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

function saidBy(expected: ExpectedChoice, finishReasons: Suite["finishReasons"]): Said {
  const { text = "", thinking = "", refusal = "", finish_reason = "" } = expected;
  const calls = [...(expected.tool_calls ?? []), ...(expected.function_call ? [expected.function_call] : [])];
  const finishReason = finishReasons[finish_reason];
  return {
    text,
    thinking,
    refusal,
    calls: calls.map(callOf),
    // Some providers say that they simply stopped, although they call a tool.
    finishReason: calls.length > 0 && finishReason === "stop" ? "tool_calls" : finishReason,
  };
}

function callOf({ id = "", name, arguments: args, arguments_raw, input }: ExpectedCall): unknown {
  return input === undefined ? { id, name, arguments: args ?? arguments_raw } : { id, name, input };
}
