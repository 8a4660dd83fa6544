/**
 * An entry as bytes, for a store that other processes and other versions of this one read. Bytes that it cannot read
 * are no entry. Its head can be read without the rest.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { StreamResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { PicoUsd } from "../core/money.ts";
import type { Answer, TimedBatch } from "./answer.ts";
import type { Entry, Told } from "./answers.ts";
import { droppedFrom, withDropped } from "./events.ts";

/** To be raised whenever the layout changes: it has no names of fields. */
const VERSION = 1;

export interface Head extends Told {
  /** Of the clears, when it was kept. */
  readonly generation: number;
}

export interface Decoded {
  readonly entry: Entry;
  readonly generation: number;
}

export function encodeEntry(entry: Entry, generation: number): Buffer {
  const head = encodeHead(entry, generation);
  const body = encodeBody(entry);
  return Buffer.from(new BinaryWriter().uint32(VERSION).bytes(head).raw(body).finish());
}

/** @returns undefined for what is of another version, cut, or no entry at all */
export function decodeEntry(bytes: Uint8Array): Decoded | undefined {
  return attempt(bytes, (reader) => {
    const { generation, ...told } = decodeHead(reader.bytes());
    const entry = decodeBody(reader, told);
    return reader.pos === reader.len ? { entry, generation } : undefined;
  });
}

/** @param bytes the first of an entry; undefined when they are too few, or no entry's */
export function headOf(bytes: Uint8Array): Head | undefined {
  return attempt(bytes, (reader) => decodeHead(reader.bytes()));
}

function attempt<T>(bytes: Uint8Array, read: (reader: BinaryReader) => T): T | undefined {
  try {
    // A copy: what is read holds on to it, and not to all that came with it.
    const reader = new BinaryReader(new Uint8Array(bytes));
    return reader.uint32() === VERSION ? read(reader) : undefined;
  } catch {
    return undefined;
  }
}

function encodeHead({ tenant, family, tags, answer }: Told, generation: number): Uint8Array {
  const labels = Object.entries(tags);
  const writer = new BinaryWriter()
    .double(generation)
    .string(tenant)
    .string(family)
    .string(answer.provider)
    .string(answer.model)
    .uint32(labels.length);
  for (const [name, value] of labels) writer.string(name).string(value);
  return writer.finish();
}

function decodeHead(bytes: Uint8Array): Head {
  const reader = new BinaryReader(bytes);
  const [generation, tenant, family] = [reader.double(), reader.string(), reader.string()];
  const answer = { provider: reader.string(), model: reader.string() };
  const tags = Object.fromEntries(times(reader, () => [reader.string(), reader.string()]));
  return { generation, tenant, family, tags, answer };
}

function encodeBody({ answer, expiresAtMs, bytes }: Entry): Uint8Array {
  const { requestId, storedAtMs, costPicoUsd, batches, dropped } = answer;
  const writer = new BinaryWriter()
    .double(expiresAtMs)
    .double(bytes)
    .string(requestId)
    .double(storedAtMs)
    .bool(costPicoUsd !== undefined)
    .int64(costPicoUsd ?? 0n)
    .uint32(batches.length);
  for (const { events, atMs } of batches) {
    writer.double(atMs).uint32(events.length);
    for (const event of events) writer.bytes(toBinary(StreamResponseSchema, withDropped(event, dropped)));
  }
  return writer.finish();
}

function decodeBody(reader: BinaryReader, { answer: target, ...label }: Told): Entry {
  const [expiresAtMs, bytes] = [reader.double(), reader.double()];
  const [requestId, storedAtMs] = [reader.string(), reader.double()];
  const [isPriced, cost] = [reader.bool(), BigInt(reader.int64())];
  const batches = times(reader, (): TimedBatch => {
    const atMs = reader.double();
    return { atMs, events: times(reader, () => fromBinary(StreamResponseSchema, reader.bytes())) };
  });
  const costPicoUsd = isPriced ? (cost as PicoUsd) : undefined;
  const dropped = droppedFrom(batches.at(-1)?.events.at(-1));
  const answer: Answer = { batches, ...target, costPicoUsd, requestId, storedAtMs, ...dropped };
  return { ...label, answer, expiresAtMs, bytes };
}

/** As often as the number says that comes next. */
function times<T>(reader: BinaryReader, read: () => T): T[] {
  const count = reader.uint32();
  // Each takes a byte at least: no number from outside makes a list longer than what was read.
  if (count > reader.len - reader.pos) throw new RangeError("too many");
  return Array.from({ length: count }, read);
}
