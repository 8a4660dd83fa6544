/** A receipt that is short enough for an error's details, which gRPC tells in a trailer. It knows no failures. */
import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { AttemptSchema, CandidateSchema, type Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";

/** Clients take 8 KiB of headers, and trailers are told as base64, which is a third longer. */
const MAX_ATTEMPT_BYTES = 3_000;
const MAX_CANDIDATE_BYTES = 1_000;
/** Always few enough, and not worth measuring. */
const FEW = 4;

export interface ShortReceipt {
  readonly receipt: Receipt;
  /** What is not told of it, and how many; empty where all is. */
  readonly leftOut: Readonly<Record<string, string>>;
}

/** With the last attempts, and those who were considered first. What it cost is still that of all of them. */
export function shortReceipt(receipt: Receipt): ShortReceipt {
  const { attempts, route } = receipt;
  const candidates = route?.candidates ?? [];
  const last = attempts.length - fitting(AttemptSchema, attempts.toReversed(), MAX_ATTEMPT_BYTES);
  const first = fitting(CandidateSchema, candidates, MAX_CANDIDATE_BYTES);
  const more = candidates.length - first;
  if (last === 0 && more === 0) return { receipt, leftOut: {} };
  return {
    receipt: {
      ...receipt,
      attempts: attempts.slice(last),
      route: route && { ...route, candidates: candidates.slice(0, first) },
    },
    leftOut: {
      ...(last > 0 && { attempts_left_out: String(last) }),
      ...(more > 0 && { candidates_left_out: String(more) }),
    },
  };
}

/** How many of them, from the first, have so many bytes together. */
function fitting<D extends DescMessage>(schema: D, all: readonly MessageShape<D>[], bytes: number): number {
  if (all.length <= FEW) return all.length;
  let left = bytes;
  for (const [index, one] of all.entries()) {
    left -= toBinary(schema, one).length;
    if (left < 0 && index >= FEW) return index;
  }
  return all.length;
}
