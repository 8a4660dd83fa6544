import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Failure } from "../../src/core/failure.ts";
import { SseReader } from "../../src/wire/sse.ts";

interface Read {
  readonly events: string[];
  readonly stray: string;
}

function read(...pieces: readonly (string | Uint8Array)[]): Read {
  const reader = new SseReader();
  const bytes = pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece));
  const events = [...bytes.flatMap((piece) => reader.push(piece)), ...reader.end()];
  return { events, stray: reader.strayText };
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set([...places, bytes.length])]
    .filter((end) => end <= bytes.length)
    .sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
}

describe("events", () => {
  const cases: readonly (readonly [string, string, string[]])[] = [
    ["one a blank line", "data: a\n\ndata: b\n\n", ["a", "b"]],
    ["lines that end with CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]],
    ["lines that end with CR", "data: a\r\rdata: b\r\r", ["a", "b"]],
    ["a byte order mark", "\uFEFFdata: a\n\n", ["a"]],
    ["no space after the colon", "data:a\n\n", ["a"]],
    ["more than one space", "data:  a\n\n", [" a"]],
    ["several lines of data", "data: a\ndata: b\n\n", ["a\nb"]],
    ["an empty line of data", "data:\ndata: a\n\n", ["\na"]],
    ["pings", "data:\n\ndata: \n\ndata: : keepalive\n\ndata: a\n\n", ["a"]],
    ["comments and other fields", ": ping\n\nevent: x\nid: 1\nretry: 5\ndata: a\n\n: ping\n\n", ["a"]],
    ["an event without data", "event: ping\n\ndata: a\n\n", ["a"]],
    ["no blank line at the end", "data: a\n\ndata: b\n", ["a", "b"]],
    ["no line end at the end", "data: a\n\ndata: b", ["a", "b"]],
    ["a lone CR at the end", "data: a\n\ndata: b\r", ["a", "b"]],
    ["nothing", "", []],
    ["blank lines", "\n\n\r\n\n", []],
  ];
  test.each(cases)("%s", (_, text, events) => {
    expect(read(text)).toEqual({ events, stray: "" });
  });

  test("come as soon as they are whole, and not before", () => {
    const reader = new SseReader();
    expect(reader.push(Buffer.from("data: a\n"))).toEqual([]);
    expect(reader.push(Buffer.from("\ndata: b\n\ndata: c"))).toEqual(["a", "b"]);
    expect(reader.push(Buffer.from("d\n\n"))).toEqual(["cd"]);
    expect(reader.end()).toEqual([]);
  });

  test("may be cut off inside a character", () => {
    expect(read(Buffer.from("data: é").subarray(0, -1)).events).toEqual(["\uFFFD"]);
  });
});

describe("lines that are no field", () => {
  const error = '{\n  "error": {\n    "code": 429\n  }\n}\n';

  test("are kept as they came, and the events with them", () => {
    expect(read(`data: a\n\n${error}`)).toEqual({ events: ["a"], stray: error });
    expect(read(`data: a\r\n\r\n${error.replaceAll("\n", "\r\n")}`)).toEqual({ events: ["a"], stray: error });
  });

  test("are kept without bound by nobody", () => {
    expect(read("{".repeat(200_000), "\n", "{\n".repeat(100_000)).stray).toHaveLength(64 * 1024);
  });
});

test("where the bytes are cut makes no difference", () => {
  const line = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => `data: ${text}`),
    fc.constantFrom(
      "data",
      ": ping",
      "event: x",
      "id: 7",
      "retry: 9",
      '{"error": 1}',
      "datum: no",
      "\uFEFF",
      "",
      "",
    ),
  );
  const text = fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n", "\r")), { maxLength: 30 });
  fc.assert(
    fc.property(text, fc.boolean(), fc.array(fc.nat(600), { maxLength: 40 }), (lines, ended, places) => {
      const whole =
        lines.map(([line, end]) => line.replaceAll(/[\r\n]/g, "") + end).join("") + (ended ? "" : "data: x");
      const bytes = Buffer.from(whole);
      expect(read(...cut(bytes, places))).toEqual(read(bytes));
      expect(read(...cut(bytes, Array.from(bytes.keys())))).toEqual(read(bytes));
    }),
    { seed: 20, numRuns: 300 },
  );
});

test("arbitrary bytes never crash it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(300)), (bytes, places) => {
      expect(read(...cut(bytes, places))).toEqual(read(bytes));
    }),
    { seed: 21, numRuns: 500 },
  );
});

describe("an event that is too large", () => {
  const tooLarge: Partial<Failure> = { kind: "malformed_reply" };

  test.each([
    ["in one line", "data: ", "x".repeat(60), "\n\n"],
    ["in many lines", ...Array.from({ length: 20 }, () => "data: x\n"), "\n"],
    ["without an end", "data: ", ...Array.from({ length: 20 }, () => "xxxxxxxx")],
  ])("%s fails, once what came before it was given", (_, ...pieces) => {
    const wholes = [pieces, [pieces.join("")]];
    for (const some of wholes) {
      const reader = new SseReader({ maxEventChars: 30 });
      const events = reader.push(Buffer.from("data: before\n\n"));
      expect(events).toEqual(["before"]);
      expect(() => {
        for (const piece of some) reader.push(Buffer.from(piece));
        reader.end();
      }).toThrow(expect.objectContaining(tooLarge));
      expect(() => reader.push(Buffer.from("data: after\n\n"))).toThrow(expect.objectContaining(tooLarge));
    }
  });

  test("fails after the events that came in the same bytes", () => {
    const reader = new SseReader({ maxEventChars: 30 });
    expect(reader.push(Buffer.from(`data: a\n\ndata: ${"x".repeat(60)}\n\ndata: b\n\n`))).toEqual(["a"]);
    expect(() => reader.end()).toThrow(expect.objectContaining(tooLarge));
  });

  test("has room for 64 Mi characters unless told otherwise", () => {
    const data = "x".repeat(64 * 1024 * 1024);
    expect(read("data: ", data.slice(10), "\n\n").events[0]).toHaveLength(data.length - 10);
    expect(() => read("data: ", data, "x")).toThrow(expect.objectContaining(tooLarge));
  });
});
