/** Answers to be kept, as the layer makes them. */
import type { Answer } from "../../src/cache/answer.ts";
import type { Entry } from "../../src/cache/answers.ts";
import { entrySize } from "../../src/cache/size.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { event } from "../../src/core/reply.ts";

export interface EntryInit {
  readonly text?: string;
  readonly tenant?: string;
  readonly family?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly storedAtMs?: number;
  readonly expiresAtMs?: number;
}

export function answerOf(text = "Hello", storedAtMs = 1_000_000): Answer {
  return {
    batches: [{ events: [event({ token: text }), event({ done: true, finishReason: "stop" })], atMs: 0 }],
    provider: "openai",
    model: "gpt-4o",
    costPicoUsd: 1_000_000n as PicoUsd,
    requestId: "request-1",
    storedAtMs,
  };
}

export function entryOf(key: string, init: EntryInit = {}): Entry {
  const entry = {
    answer: answerOf(init.text, init.storedAtMs),
    tenant: init.tenant ?? "internal",
    family: init.family ?? "openai/gpt-4o",
    tags: init.tags ?? {},
    expiresAtMs: init.expiresAtMs ?? Number.MAX_SAFE_INTEGER,
  };
  return { ...entry, bytes: entrySize(key, entry) };
}
