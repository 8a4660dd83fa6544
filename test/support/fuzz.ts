/** Broken replies of providers, seeded, and what must hold of every decoder that reads them. */
import fc from "fast-check";
import { expect } from "vitest";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { Failure } from "../../src/core/failure.ts";
import type { StreamDecoder } from "../../src/providers/dialect.ts";
import type { FrameReader } from "../../src/wire/frames.ts";
import { SseReader } from "../../src/wire/sse.ts";

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>(null, "", 0, -1, 1.5, 1e300, [], {}, [null], [[]], true, "stop", { error: "x" }),
);
/** Which of the values in a JSON text is replaced, and by what. */
export const swaps = fc.array(fc.tuple(fc.nat(60), odd), { maxLength: 4 });
/** Where bytes are changed, and to what. */
export const flips = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 6 });

export function swapped(value: unknown, places: readonly (readonly [number, unknown])[]): string {
  let at = 0;
  return JSON.stringify(value, (_, inner: unknown) => {
    const here = at++;
    const swap = places.find(([place]) => place === here);
    return swap ? structuredClone(swap[1]) : inner;
  });
}

/** Changed in place. */
export function flipped(bytes: Buffer, changes: readonly (readonly [number, number])[]): Buffer {
  for (const [place, byte] of changes) if (place < bytes.length) bytes[place] = byte;
  return bytes;
}

export function onlyFailures(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
  }
}

/** Asks `expect` only when something is wrong: there are millions of events. */
export function checkEvents(events: readonly StreamResponse[]): void {
  for (const event of events)
    if (!isWellFormed(event)) expect.fail(`not well-formed: ${JSON.stringify(event)}`);
}

function isWellFormed(event: StreamResponse): boolean {
  const { token, refusal, reasoning, toolCall, finishReason, index, citation, providerPart } = event;
  const texts = [
    ...[token, refusal, finishReason, reasoning?.text, citation?.url, providerPart?.json],
    ...[toolCall?.id, toolCall?.name, toolCall?.arguments, toolCall?.input],
  ];
  const numbers = [index, toolCall?.index];
  return (
    texts.every((text) => text === undefined || typeof text === "string") &&
    numbers.every((number) => number === undefined || number >= 0)
  );
}

/** Reads on after a failure, as nothing that comes then may do harm either, and forgets no figure. */
export function readStream(
  bytes: Uint8Array,
  stream: StreamDecoder,
  frames: FrameReader = new SseReader({ maxEventChars: 10_000 }),
  pieceBytes = 97,
): void {
  const push = (data: string) => pushFrame(stream, data);
  for (let i = 0; i < bytes.length; i += pieceBytes)
    onlyFailures(() => frames.push(bytes.subarray(i, i + pieceBytes)).forEach(push));
  onlyFailures(() => frames.end().forEach(push));
  const before = figuresOf(stream.usage);
  onlyFailures(() => checkEvents(stream.end(frames.strayText)));
  checkFigures(figuresOf(stream.usage), before);
}

/** Words beside figures, and what Bedrock wraps other formats in. */
const FIGURES = /usage|token|metrics|"bytes"/i;

/** A frame with figures of its own may replace those before, even if the rest of it is broken; but not by nothing. */
export function pushFrame(stream: StreamDecoder, data: string): void {
  const before = figuresOf(stream.usage);
  onlyFailures(() => checkEvents(stream.push(data)));
  if (before && FIGURES.test(data)) expect(stream.usage).toBeDefined();
  else checkFigures(figuresOf(stream.usage), before);
}

/** Undefined when nothing was reported. */
export function figuresOf(usage: Usage | undefined): readonly number[] | undefined {
  if (!usage) return undefined;
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } = usage;
  return [inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens];
}

/** That none of them is below what it was. */
export function checkFigures(
  now: readonly number[] | undefined,
  before: readonly number[] | undefined,
): void {
  if (before?.some((figure, i) => !(Number(now?.[i]) >= figure)))
    expect.fail(`figures were ${before}, and are ${now}`);
}
