/** Broken replies of providers, seeded, and what must hold of every decoder that reads them. */
import fc from "fast-check";
import { expect } from "vitest";
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
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

export function checkEvents(events: readonly StreamResponse[]): void {
  for (const { token, refusal, reasoning, toolCall, finishReason, index, citation, providerPart } of events) {
    for (const text of [token, refusal, finishReason, reasoning?.text, toolCall?.id, toolCall?.name])
      expect(["string", "undefined"]).toContain(typeof text);
    for (const text of [toolCall?.arguments, toolCall?.input, citation?.url, providerPart?.json])
      expect(["string", "undefined"]).toContain(typeof text);
    for (const number of [index, toolCall?.index]) expect(number === undefined || number >= 0).toBe(true);
  }
}

/** Reads on after a failure, as nothing that comes then may do harm either, and forgets no usage. */
export function readStream(
  bytes: Uint8Array,
  stream: StreamDecoder,
  frames: FrameReader = new SseReader({ maxEventChars: 10_000 }),
): void {
  let reported = stream.usage;
  const decode = (data: string) =>
    onlyFailures(() => {
      checkEvents(stream.push(data));
    });
  for (let i = 0; i < bytes.length; i += 97) {
    onlyFailures(() => {
      for (const data of frames.push(bytes.subarray(i, i + 97))) {
        decode(data);
        if (reported) expect(stream.usage).toBeDefined();
        reported = stream.usage;
      }
    });
  }
  onlyFailures(() => frames.end().forEach(decode));
  onlyFailures(() => checkEvents(stream.end("")));
  if (reported) expect(stream.usage).toBeDefined();
}
