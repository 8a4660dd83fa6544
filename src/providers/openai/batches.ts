/**
 * OpenAI's batch API: a file of requests goes in, a file of replies and one of errors come out. What a line says, chats'
 * own dialect writes and reads. https://platform.openai.com/docs/guides/batch
 */
import type { OpenAI } from "openai";
import type { Batch } from "openai/resources/batches";
import type { FileObject } from "openai/resources/files";
import { type Clock, pass } from "../../core/clock.ts";
import { Failure } from "../../core/failure.ts";
import { messageOf } from "../../core/message.ts";
import { withoutKey } from "../../core/redact.ts";
import type { BatchAdapter, BatchResult, BatchState } from "../batch_adapter.ts";
import { malformed, parseObject } from "../malformed.ts";
import { classify } from "./classify.ts";
import { type Access, answerIn, coldClient } from "./sdk.ts";

const MAX_LINES = 50_000;
/** Half of what OpenAI takes, since a batch is in memory while it is sent. */
const MAX_BYTES = 100_000_000;
/** For a whole file, either way. */
const TIMEOUT_MS = 600_000;
/** How long after each other a batch is looked for that may have been made: it is made at once, or never. */
const LOOKS_MS = [1_000, 4_000, 10_000];
/** The most that a page of the list has. */
const PAGE = 100;
/** How far the provider's own clocks may be apart, by which files and batches have their times. */
const SKEW_S = 60;

/** @param access with one key: what one project made, the key of another does not see */
export function openaiBatches(access: Access, clock: Clock): BatchAdapter {
  const client = coldClient(access, TIMEOUT_MS);
  const ask = <T>(broken: Broken, what: (sdk: OpenAI, options: Options) => Promise<T>) =>
    asked(access, broken, async (options) => what(await client(), options));
  return {
    maxLines: MAX_LINES,
    maxBytes: MAX_BYTES,
    line: (customId, { path, body }) =>
      // JSON text may be written on several lines, a line of the file may not; within strings there is no line break.
      `{"custom_id":${JSON.stringify(customId)},"method":"POST","url":"/v1${path}","body":${body.replace(/[\r\n]+/g, " ")}}`,
    create: async (lines) => {
      const file = new File([`${lines.join("\n")}\n`], "batch.jsonl", { type: "application/jsonl" });
      const input = await ask("unreachable", (sdk, options) =>
        sdk.files.create({ file, purpose: "batch" }, options),
      );
      try {
        const batch = await ask("cut", (sdk, options) =>
          sdk.batches.create(
            { input_file_id: input.id, endpoint: "/v1/chat/completions", completion_window: "24h" },
            options,
          ),
        );
        return batch.id;
      } catch (error) {
        const answer = await answerBehind(error);
        // It was refused, which is no fault of the provider's own.
        if (answer?.status !== undefined && answer.status < 500) throw error;
        // It would be served and paid for, and made and paid for again.
        const made = await found(clock, () => ask("unreachable", (...by) => madeOf(input, ...by)));
        if (made === undefined) throw error;
        return made;
      }
    },
    poll: async (id) => {
      try {
        return stateOf(await ask("unreachable", (sdk, options) => sdk.batches.retrieve(id, options)));
      } catch (error) {
        const answer = await answerBehind(error);
        // Whoever stands before the provider may say so too, in words of its own, and knows nothing of batches.
        if (answer?.status !== 404 || typeof answer.type !== "string") throw error;
        return { state: "unknown", lines: undefined, reason: answer.message };
      }
    },
    async *results(id) {
      const batch = await ask("unreachable", (sdk, options) => sdk.batches.retrieve(id, options));
      for (const file of [batch.output_file_id, batch.error_file_id]) {
        if (!file) continue;
        const { body } = await ask("unreachable", (sdk, options) => sdk.files.content(file, options));
        if (body) for await (const line of linesOf(body)) yield resultIn(line);
      }
    },
    cancel: async (id) => {
      await ask("unreachable", (sdk, options) => sdk.batches.cancel(id, options));
    },
  };
}

type Options = OpenAI.RequestOptions;

/** What the provider answered, where that is what a question failed for. */
async function answerBehind(error: unknown) {
  return error instanceof Failure ? answerIn(error.cause) : undefined;
}

async function found<T>(clock: Clock, look: () => Promise<T | undefined>): Promise<T | undefined> {
  for (const delayMs of LOOKS_MS) {
    await pass(clock, delayMs);
    const what = await look().catch(() => undefined);
    if (what !== undefined) return what;
  }
  return undefined;
}

/** The batch of this file, among those since, of which the newest come first; none where no time is told. */
async function madeOf(input: FileObject, sdk: OpenAI, options: Options): Promise<string | undefined> {
  for await (const batch of sdk.batches.list({ limit: PAGE }, options)) {
    if (batch.input_file_id === input.id) return batch.id;
    if (!(batch.created_at > input.created_at - SKEW_S)) return undefined;
  }
  return undefined;
}

/** What it is when there was no answer: whether it may have been heard all the same. */
type Broken = "unreachable" | "cut";

async function asked<T>(
  { credentials }: Access,
  broken: Broken,
  ask: (options: Options) => Promise<T>,
): Promise<T> {
  const proof = await credentials.prove({ path: "", body: "" });
  try {
    // The client's own limit ends with the head of an answer.
    return await ask({ headers: { ...proof.headers }, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const text = withoutKey(messageOf(error), proof.secret);
    const answer = await answerIn(error);
    if (!answer)
      throw new Failure(broken, "the provider's batches cannot be reached", { operator: text, cause: error });
    const said = answer.error ? withoutKey(JSON.stringify({ error: answer.error }), proof.secret) : text;
    const { kind, message, operator = said } = classify(answer.status, {}, said);
    // Whatever was wrong with the batch, no caller has written it.
    const ours = kind === "provider_bad_request" || kind === "model_not_found" ? "provider_error" : kind;
    const words = ours === kind ? message : "the provider refused the batch";
    throw new Failure(ours, words, { operator, cause: error });
  }
}

const STATES: Readonly<Record<Batch["status"], BatchState["state"]>> = {
  validating: "running",
  in_progress: "running",
  finalizing: "running",
  cancelling: "running",
  completed: "complete",
  failed: "partial",
  expired: "partial",
  cancelled: "partial",
};

/** "Enqueued token limit reached for gpt-4o in organization org-…. Limit: 90,000 enqueued tokens." */
const NO_ROOM = "token_limit_exceeded";

function stateOf({ status, request_counts: counts, errors }: Batch): BatchState {
  const faults = errors?.data ?? [];
  const why = faults.map(({ code, message, line }) =>
    [line && `line ${line}`, code, message].filter(Boolean).join(", "),
  );
  return {
    state: faults.some(({ code }) => code === NO_ROOM) ? "no_room" : (STATES[status] ?? "running"),
    // While it is validated, nothing is counted yet.
    lines: counts?.total || undefined,
    reason: [status, ...why.slice(0, 3)].join(": "),
  };
}

interface Line {
  readonly custom_id?: string;
  readonly response?: { readonly status_code?: number; readonly body?: unknown } | null;
  readonly error?: { readonly code?: string; readonly message?: string } | null;
}

/** @throws Failure `malformed_reply` */
function resultIn(line: string): BatchResult {
  const { custom_id: customId, response, error }: Line = parseObject(line);
  if (typeof customId !== "string") throw malformed("a line without custom_id", line);
  if (response) return { customId, status: response.status_code ?? 200, body: JSON.stringify(response.body) };
  return { customId, unserved: [error?.code, error?.message].filter(Boolean).join(": ") };
}

/** Split at line feeds alone: U+2028 stands in strings as it is. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter(Boolean);
  }
  if (rest) yield rest;
}
