/** Makes calls of every kind, so many at a time, and keeps what their callers got to see. */
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { MarkedReceipt } from "../money/books.ts";
import { CALLERS, type Conversation } from "../support/callers.ts";

export interface Calls {
  readonly count: number;
  readonly atOnce: number;
  /** Which model the call of this number asks for. */
  readonly model: (number: number) => string;
  /** Whether it is streamed; half of them by default. */
  readonly streams?: (number: number) => boolean;
  /** Begins each mark. */
  readonly series?: string;
  /** Waited for before the call of this number begins. */
  readonly before?: (number: number) => void | Promise<void>;
}

/** What a caller got. */
export interface End {
  readonly mark: string;
  readonly streamed: boolean;
  /** Empty when it was served. */
  readonly kind: string;
  /** By the clock of the day. */
  readonly beganAtMs: number;
  /** When the first word came, from the call's beginning. */
  readonly firstMs: number | undefined;
  readonly latencyMs: number;
  readonly words: number;
  /** Errors told: as an event, and by the protocol's status. */
  readonly errors: readonly string[];
  /** Events after one that told of an error. */
  readonly after: number;
  readonly receipt: MarkedReceipt["receipt"] | undefined;
}

/** One of each protocol. */
const NAMES = ["REST and SSE", "Connect in binary", "gRPC"];
/** Longer than any attempt may take, and short enough for a stream that crawls. */
const DEADLINE_MS = 5_000;

/** Never rejects; in the order of the calls' numbers. */
export async function makeCalls(url: string, calls: Calls): Promise<End[]> {
  const { count, atOnce, model, streams = (number) => number % 2 === 0, series = "call" } = calls;
  const conversations = NAMES.flatMap(
    (name) => CALLERS.find((caller) => caller.name === name)?.at(url) ?? [],
  );
  const ends: End[] = [];
  let next = 0;
  const caller = async () => {
    for (let number = next++; number < count; number = next++) {
      const conversation = conversations[number % conversations.length];
      if (!conversation) throw new Error("there is no caller");
      await calls.before?.(number);
      ends[number] = await makeCall(conversation, `${series}-${number}`, model(number), streams(number));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  return ends;
}

export function receiptsOf(ends: readonly End[]): MarkedReceipt[] {
  return ends.flatMap(({ mark, receipt }) => (receipt ? [{ mark, receipt }] : []));
}

async function makeCall(
  conversation: Conversation,
  mark: string,
  model: string,
  streamed: boolean,
): Promise<End> {
  const content = `[[emulate: mark=${mark}]] Say something`;
  const request = {
    model,
    messages: [{ role: "user", content }],
    parameters: { maxTokens: 12 },
    metadata: { mark },
  };
  const beganAtMs = Date.now();
  const beganAt = performance.now();
  const errors: string[] = [];
  let [firstMs, words, after]: [number | undefined, number, number] = [undefined, 0, 0];
  let receipt: MarkedReceipt["receipt"] | undefined;
  try {
    if (streamed) {
      for await (const event of conversation.stream(request, { timeoutMs: DEADLINE_MS })) {
        if (errors.length > 0) after++;
        if (event.token) {
          firstMs ??= performance.now() - beganAt;
          words++;
        }
        if (event.error) errors.push(event.error.kind);
        receipt ??= event.receipt ?? event.error?.receipt;
      }
      if (!receipt) errors.push("no end");
    } else receipt = await conversation.chat(request, { timeoutMs: DEADLINE_MS });
  } catch (error) {
    const failure = ConnectError.from(error);
    errors.push(failure.findDetails(ErrorInfoSchema)[0]?.reason ?? failure.rawMessage);
    receipt ??= failure.findDetails(ReceiptSchema)[0];
  }
  const latencyMs = performance.now() - beganAt;
  const kind = errors[0] ?? "";
  return { mark, streamed, kind, beganAtMs, firstMs, latencyMs, words, errors, after, receipt };
}
