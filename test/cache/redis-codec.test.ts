/** Entries as bytes: what goes in comes out, and what is no entry is none, whatever its bytes are. */
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import { StreamResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Entry } from "../../src/cache/answers.ts";
import { decodeEntry, encodeEntry, headOf } from "../../src/cache/codec.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { event, reasoning, toolCallDelta } from "../../src/core/reply.ts";

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const time = fc.integer({ min: 0, max: 4_000_000_000_000 });

const events = fc.oneof(
  text.map((token) => event({ token })),
  fc
    .record({ text, signature: text, redacted: text })
    .map((fields) => event({ reasoning: reasoning(fields) })),
  fc
    .record({ index: fc.nat(9), id: text, arguments: text })
    .map(({ index, ...rest }) => event({ toolCall: toolCallDelta(index, rest) })),
  fc.record({ refusal: text, index: fc.nat(3) }).map(event),
  text.map((finishReason) => event({ done: true, finishReason })),
);

const entries: fc.Arbitrary<Entry> = fc.record({
  answer: fc.record({
    batches: fc.array(fc.record({ events: fc.array(events, { minLength: 1, maxLength: 5 }), atMs: time }), {
      maxLength: 8,
    }),
    provider: text,
    model: text,
    costPicoUsd: fc.option(fc.bigInt(0n, 1n << 62n), { nil: undefined }) as fc.Arbitrary<PicoUsd | undefined>,
    requestId: text,
    storedAtMs: time,
  }),
  tenant: text,
  family: text,
  tags: fc.dictionary(text, text, { maxKeys: 5, noNullPrototype: true }),
  expiresAtMs: time,
  bytes: fc.nat(),
});

const generations = fc.integer({ min: 0, max: 2_000_000_000_000_000 });

it("reads what it wrote, and its head from the first bytes", () => {
  fc.assert(
    fc.property(entries, generations, (entry, generation) => {
      const bytes = encodeEntry(entry, generation);
      expect(decodeEntry(bytes)).toEqual({ entry, generation });
      const { tenant, family, tags, answer } = entry;
      const { provider, model } = answer;
      const head = { generation, tenant, family, tags, answer: { provider, model } };
      expect(headOf(bytes)).toEqual(head);
    }),
  );
});

it("has the events as they are written, with fields that it does not know", () => {
  const known = create(StreamResponseSchema, { token: "a" });
  known.$unknown = [{ no: 999, wireType: 0, data: new Uint8Array([1]) }];
  const [entry] = fc.sample(entries, 1);
  if (!entry) throw new Error("no entry");
  const answer = { ...entry.answer, batches: [{ events: [known], atMs: 0 }] };
  const decoded = decodeEntry(encodeEntry({ ...entry, answer }, 1));
  expect(decoded?.entry.answer.batches[0]?.events[0]?.$unknown).toEqual(known.$unknown);
});

it("has what the model did not get", () => {
  const [entry] = fc.sample(entries, 1);
  if (!entry) throw new Error("no entry");
  const batches = [{ events: [event({ token: "a" }), event({ done: true, finishReason: "stop" })], atMs: 0 }];
  const told = { ...entry, answer: { ...entry.answer, batches, dropped: ["parameters.seed"] } };
  expect(decodeEntry(encodeEntry(told, 1))?.entry).toEqual(told);
});

it("takes none of another version, none that was cut, and none with more behind it", () => {
  fc.assert(
    fc.property(entries, fc.nat(), (entry, at) => {
      const bytes = encodeEntry(entry, 5);
      expect(decodeEntry(bytes.subarray(0, at % bytes.length))).toBeUndefined();
      expect(decodeEntry(Buffer.concat([bytes, Buffer.from([0])]))).toBeUndefined();
      const other = Buffer.from(bytes);
      other[0] = 2;
      expect([decodeEntry(other), headOf(other)]).toEqual([undefined, undefined]);
    }),
  );
});

it("never throws, nor makes lists as long as bytes say", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (tail) => {
      const bytes = Buffer.concat([Buffer.from([1]), tail]);
      decodeEntry(bytes);
      headOf(bytes);
    }),
    { numRuns: 2_000 },
  );
});
