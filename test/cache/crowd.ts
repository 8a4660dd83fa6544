/** A crowd that asks few questions at once, each as it likes: how they ask, how long they stay, and what they got. */
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { mulberry32, type Random } from "../../src/emulator/random.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { below, pick } from "../support/mutation.ts";

export interface Asking {
  /** The number of the question. */
  readonly question: number;
  /** The caller's number in CALLERS. */
  readonly caller: number;
  readonly streams: boolean;
  readonly way:
    | { readonly kind: "stays" | "is slow" }
    | { readonly kind: "leaves"; readonly afterMs: number }
    | { readonly kind: "leaves midway"; readonly afterEvents: number }
    | { readonly kind: "has a deadline" | "has timeout_ms"; readonly ms: number }
    | { readonly kind: "has a ceiling"; readonly usd: number };
}

export type Told = Pick<
  Receipt,
  "requestId" | "cached" | "cacheKind" | "cost" | "attempts" | "cache" | "provider" | "model"
>;

export interface Asked extends Asking {
  readonly text: string;
  readonly finishReason: string;
  /** By its kind; empty for none. */
  readonly failure: string;
  readonly told: Told | undefined;
}

export function crowdOf(seed: number, questions: number, size: number): Asking[] {
  const random = mulberry32(seed);
  return Array.from({ length: size }, (_, index) => {
    const streams = random() < 0.6;
    return {
      question: index % questions,
      caller: below(random, CALLERS.length),
      streams,
      way: wayOf(random, streams),
    };
  });
}

function wayOf(random: Random, streams: boolean): Asking["way"] {
  const drawn = random();
  if (drawn < 0.4) return { kind: "stays" };
  if (drawn < 0.5) return { kind: "is slow" };
  if (drawn < 0.6) return { kind: "leaves", afterMs: below(random, 2_500) };
  if (drawn < 0.7 && streams) return { kind: "leaves midway", afterEvents: 1 + below(random, 30) };
  if (drawn < 0.8) return { kind: "has a deadline", ms: 300 + below(random, 3_000) };
  if (drawn < 0.9) return { kind: "has timeout_ms", ms: 300 + below(random, 3_000) };
  return { kind: "has a ceiling", usd: pick(random, [0.0003, 0.0008, 1]) };
}

/** Resolves once all have ended, one way or another. */
export function askAll(
  url: string,
  all: readonly Asking[],
  questionOf: (number: number) => ChatInit,
): Promise<Asked[]> {
  const conversations = CALLERS.map((caller) => caller.at(url));
  return Promise.all(
    all.map(async (asking): Promise<Asked> => {
      const { caller, streams, way } = asking;
      const conversation = conversations[caller];
      if (!conversation) throw new Error(`there is no caller ${caller}`);
      const leaving = new AbortController();
      const leave = () => leaving.abort();
      const timer = way.kind === "leaves" ? setTimeout(leave, way.afterMs) : undefined;
      const request = {
        ...questionOf(asking.question),
        ...(way.kind === "has timeout_ms" ? { timeoutMs: way.ms } : {}),
        ...(way.kind === "has a ceiling" ? { maxCostUsd: way.usd } : {}),
      };
      const options = {
        signal: leaving.signal,
        ...(way.kind === "has a deadline" ? { timeoutMs: way.ms } : {}),
      };
      let text = "";
      try {
        if (!streams) {
          const reply = await conversation.chat(request, options);
          return {
            ...asking,
            text: reply.response,
            finishReason: reply.finishReason,
            failure: "",
            told: reply,
          };
        }
        let events = 0;
        for await (const event of conversation.stream(request, options)) {
          text += event.token ?? "";
          if (event.error)
            return {
              ...asking,
              text,
              finishReason: "",
              failure: event.error.kind,
              told: event.error.receipt,
            };
          if (event.done)
            return {
              ...asking,
              text,
              finishReason: event.finishReason ?? "",
              failure: "",
              told: event.receipt,
            };
          if (way.kind === "leaves midway" && ++events === way.afterEvents) leave();
          if (way.kind === "is slow") await new Promise((resolve) => setTimeout(resolve, 30));
        }
        return { ...asking, text, finishReason: "", failure: "ended without an end", told: undefined };
      } catch (error) {
        return { ...asking, text, finishReason: "", failure: kindOf(error), told: undefined };
      } finally {
        clearTimeout(timer);
      }
    }),
  );
}

/** A client that gives up by itself tells no kind. */
function kindOf(error: unknown): string {
  const { code, message } = ConnectError.from(error);
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  if (info) return info.reason;
  if (code === Code.DeadlineExceeded) return "deadline_exceeded";
  return code === Code.Canceled || (error as Error).name === "AbortError" ? "cancelled" : message;
}
