import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { EventStreamReader } from "../../src/wire/eventstream.ts";
import { frameReader } from "../../src/wire/frames.ts";
import { eventMessage, exceptionMessage, message } from "../support/eventstream.ts";

const HELLO = eventMessage("contentBlockDelta", { delta: { text: "Hé 🎉" } });
const BYE = eventMessage("messageStop", { stopReason: "end_turn" });
const HELLO_FRAME = '{"contentBlockDelta":{"delta":{"text":"Hé 🎉"}}}';
const BYE_FRAME = '{"messageStop":{"stopReason":"end_turn"}}';

/** All frames, and what ended the stream if anything did. */
function read(pieces: readonly Uint8Array[], reader = new EventStreamReader()) {
  const frames: string[] = [];
  try {
    for (const piece of pieces) frames.push(...reader.push(piece));
    frames.push(...reader.end());
    return { frames, failure: undefined };
  } catch (failure) {
    if (failure instanceof Failure) return { frames, failure };
    throw failure;
  }
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
}

test("it is read where the content type says so", () => {
  expect(frameReader("application/vnd.amazon.eventstream")).toBeInstanceOf(EventStreamReader);
});

describe("a message is a frame with its type and its payload", () => {
  test.each([
    ["an event", HELLO, HELLO_FRAME],
    [
      "an exception",
      exceptionMessage("throttlingException", { message: "slow" }),
      '{"throttlingException":{"message":"slow"}}',
    ],
    [
      "an error, which has no payload",
      message({ ":message-type": "error", ":error-code": "InternalError", ":error-message": 'a "b"' }, ""),
      '{"InternalError":{"message":"a \\"b\\""}}',
    ],
    [
      "an event with nothing in it",
      message({ ":event-type": "initial-response", ":message-type": "event" }, ""),
      '{"initial-response":{}}',
    ],
    ["no type", message({}, "{}"), '{"":{}}'],
  ])("%s", (_, bytes, frame) => {
    expect(read([bytes])).toEqual({ frames: [frame], failure: undefined });
  });

  test("as soon as it is whole, and not before", () => {
    const reader = new EventStreamReader();
    expect(reader.push(HELLO.subarray(0, -1))).toEqual([]);
    expect(reader.push(Buffer.concat([HELLO.subarray(-1), BYE, BYE.subarray(0, 20)]))).toEqual([
      HELLO_FRAME,
      BYE_FRAME,
    ]);
    expect(reader.push(BYE.subarray(20))).toEqual([BYE_FRAME]);
    expect(reader.end()).toEqual([]);
  });

  test("wherever the bytes are cut", () => {
    const whole = Buffer.concat([HELLO, BYE, HELLO]);
    for (let size = 1; size <= whole.length; size++) {
      expect(read(pieces(whole, size)).frames).toEqual([HELLO_FRAME, BYE_FRAME, HELLO_FRAME]);
    }
  });

  test("of a megabyte, in time that grows with its length alone", () => {
    const text = "x".repeat(1024 * 1024);
    const { frames } = read(pieces(eventMessage("a", { text }), 64));
    expect(frames).toEqual([`{"a":{"text":"${text}"}}`]);
  });
});

describe("a stream that breaks", () => {
  test("off inside a message is cut, at every place", () => {
    const whole = Buffer.concat([HELLO, BYE]);
    for (let end = HELLO.length + 1; end < whole.length; end++) {
      const { frames, failure } = read([whole.subarray(0, end)]);
      expect(frames).toEqual([HELLO_FRAME]);
      expect(failure?.kind).toBe("cut");
    }
  });

  test("with one wrong byte is malformed, and the frames before it are given first", () => {
    for (let at = HELLO.length; at < HELLO.length + BYE.length; at++) {
      for (const size of [7, 1000]) {
        const whole = Buffer.concat([HELLO, BYE, HELLO]);
        whole[at] = (whole[at] ?? 0) ^ 1;
        const { frames, failure } = read(pieces(whole, size));
        expect(frames).toEqual([HELLO_FRAME]);
        expect(failure?.kind).toBe("malformed_reply");
      }
    }
  });

  test("stays broken", () => {
    const reader = new EventStreamReader();
    const wrong = Buffer.from(BYE);
    wrong[wrong.length - 1] = (wrong.at(-1) ?? 0) ^ 1;
    expect(reader.push(Buffer.concat([HELLO, wrong]))).toEqual([HELLO_FRAME]);
    for (const more of [() => reader.push(HELLO), () => reader.push(HELLO), () => reader.end()])
      expect(more).toThrow(Failure);
  });

  test.each([
    ["too large", HELLO.length - 1, "of which"],
    ["of no length", HELLO.length, "message of 7 bytes"],
  ])("with a message that is %s is malformed before the rest has come", (_, maxMessageBytes, operator) => {
    const prelude = Buffer.from(HELLO.subarray(0, 12));
    if (maxMessageBytes === HELLO.length) {
      prelude.writeUInt32BE(7);
      prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
    }
    const { failure } = read([prelude], new EventStreamReader({ maxMessageBytes }));
    expect(failure).toMatchObject({ kind: "malformed_reply", operator: expect.stringContaining(operator) });
  });
});

test("no bytes harm it", () => {
  const flips = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 });
  const sizes = fc.integer({ min: 1, max: 400 });
  fc.assert(
    fc.property(flips, sizes, fc.nat(400), (changes, size, end) => {
      const bytes = Buffer.concat([HELLO, BYE, HELLO]).subarray(0, end);
      for (const [place, byte] of changes) if (place < bytes.length) bytes[place] = byte;
      for (const frame of read(pieces(bytes, size)).frames) expect(frame.startsWith("{")).toBe(true);
    }),
    { seed: 1, numRuns: 1000 },
  );
});
