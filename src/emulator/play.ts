/**
 * Plays an answer onto an exchange under its fault: when it begins, how fast it goes, where it breaks.
 * What the bytes mean is the format's business.
 */
import type { OutgoingHttpHeaders } from "node:http";
import type { Answer, Exchange } from "./exchange.ts";
import { type Fault, refuses } from "./fault.ts";
import { retryAfterHeaders } from "./retry-after.ts";

/** One event of a stream, as the bytes that carry it. */
export interface Frame {
  /** Bytes where the framing is no text. */
  readonly text: string | Uint8Array;
  /** `content` is what `cut`, `error_event` and the intervals count; `finish` and after are what `no_done` drops. */
  readonly kind: "opening" | "content" | "finish" | "end";
  /** Metered when the frame is written; includes the reasoning. */
  readonly outputTokens: number;
  readonly reasoningTokens: number;
}

/** The tokens that an accepted request is metered for at once. */
export interface AcceptedInput {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  /** Of those, the ones that are kept for an hour; none where the format knows but one time. */
  readonly cacheWrite1hTokens?: number;
}

/** How a format spells the error that a fault asks for. */
export type ErrorAnswer = (fault: Fault) => Answer;

/**
 * What comes before an answer: faults that replace it, and the delay. Returns whether the answer is to be played.
 * Errors and resets meter nothing; everything else has been accepted, and meters its input.
 */
export async function playBefore(
  exchange: Exchange,
  fault: Fault | undefined,
  input: AcceptedInput,
  errorAnswer: ErrorAnswer,
): Promise<boolean> {
  if (fault === undefined) {
    Object.assign(exchange.record, input);
    return true;
  }
  if (fault.name !== "") exchange.record.fault = fault.name;
  if (fault.mark !== undefined) exchange.record.mark = fault.mark;
  if (!refuses(fault)) Object.assign(exchange.record, input);
  await exchange.pause(fault.delayMs ?? 0);
  if (fault.reset) exchange.reset();
  else if (fault.hang) await exchange.hang();
  else if (refuses(fault)) exchange.answer(errorAnswer(fault), "error");
  else if (fault.cutAfter === 0) await exchange.cut();
  else return !exchange.gone;
  return false;
}

/** The whole reply, metered with its first byte: a unary reply is complete before it is sent. */
export async function playUnary(
  exchange: Exchange,
  fault: Fault | undefined,
  answer: Answer,
  output: { readonly outputTokens: number; readonly reasoningTokens: number },
  errorAnswer: ErrorAnswer,
): Promise<void> {
  if (fault !== undefined) {
    await exchange.pause(fault.firstTokenMs ?? 0);
    if (fault.errorAfter !== undefined) {
      const { body, headers } = errorAnswer(fault);
      exchange.answer({ status: 200, headers, body }, "error");
      return;
    }
  }
  if (exchange.gone) return;
  exchange.record.outputTokens = output.outputTokens;
  exchange.record.reasoningTokens = output.reasoningTokens;
  const headers = { ...answer.headers, ...retryAfterHeaders(fault) };
  if (fault?.cutAfter !== undefined) {
    exchange.begin(answer.status, { ...headers, "content-length": Buffer.byteLength(answer.body) });
    await exchange.write(half(answer.body));
    await exchange.cut();
    return;
  }
  const body = fault?.malformed ? half(answer.body) : answer.body;
  exchange.answer({ status: answer.status, headers, body }, "served");
}

/**
 * Frames as fast as the reader takes them, or at the fault's pace; each is metered as it is written, once even when
 * it is sent twice. `errorFrame` is an error in the stream's own framing. Returns when the client has left.
 */
export async function playStream(
  exchange: Exchange,
  fault: Fault | undefined,
  headers: OutgoingHttpHeaders,
  frames: Iterable<Frame>,
  errorFrame: (fault: Fault) => string | Uint8Array,
): Promise<void> {
  exchange.begin(200, { ...headers, ...retryAfterHeaders(fault) });
  let content = 0;
  for (const frame of frames) {
    if (fault !== undefined && frame.kind !== "opening") {
      const ended = await breakOff(exchange, fault, frame, content, errorFrame);
      if (ended) return;
      await exchange.pause((content === 0 ? fault.firstTokenMs : fault.intervalMs) ?? 0);
    }
    if (exchange.gone) return;
    const { record } = exchange;
    record.outputTokens += frame.outputTokens;
    record.reasoningTokens += frame.reasoningTokens;
    const broken = fault?.malformed && frame.kind === "content" && content === 0;
    const behind = exchange.write(broken ? brokenOff(frame.text) : frame.text);
    if (behind !== undefined) await behind;
    if (fault?.duplicate && frame.kind !== "end") await exchange.write(frame.text);
    if (frame.kind === "content") content += 1;
  }
  exchange.end("served");
}

/** Ends the stream before this frame if the fault wants it ended here; returns whether it did. */
async function breakOff(
  exchange: Exchange,
  fault: Fault,
  frame: Frame,
  content: number,
  errorFrame: (fault: Fault) => string | Uint8Array,
): Promise<boolean> {
  const last = frame.kind !== "content";
  if (fault.cutAfter !== undefined && (content >= fault.cutAfter || last)) {
    await exchange.cut();
  } else if (fault.errorAfter !== undefined && (content >= fault.errorAfter || last)) {
    await exchange.write(errorFrame(fault));
    exchange.end("error");
  } else if (fault.noDone && last) {
    exchange.end("cut");
  } else {
    return false;
  }
  return true;
}

/** A line of text ends all the same, so that the next one is read; bytes that are missing break all that follow. */
function brokenOff(frame: string | Uint8Array): string | Uint8Array {
  return typeof frame === "string" ? `${half(frame)}\n\n` : frame.subarray(0, frame.length / 2);
}

function half(text: string): string {
  return text.slice(0, Math.floor(text.length / 2));
}
