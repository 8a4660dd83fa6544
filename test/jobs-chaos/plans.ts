/** What a round submits: single jobs and batches of every provider's chats, and which of them are cancelled. */
import { mulberry32 } from "../../src/emulator/random.ts";
import { plansOf } from "../money/plans.ts";
import type { ChatInit } from "../support/callers.ts";
import { below } from "../support/mutation.ts";

/** One submission: a job that stands alone, or a batch of several. */
export interface Submission {
  readonly key: string;
  readonly kind: "job" | "batch";
  readonly way: "rest" | "connect";
  readonly chats: readonly Chat[];
  /** How long after its submission it is cancelled; undefined for never. */
  readonly cancelledAfterMs: number | undefined;
}

export interface Chat {
  /** By which the job is known to its provider, to the ledger and to its batch. */
  readonly mark: string;
  readonly request: ChatInit;
}

const BATCHES = 0.1;
const BATCH_SIZES = { least: 5, most: 25 };
const CANCELLED = 0.04;
const CANCEL_SPREAD_MS = 3_000;

export function submissionsOf(seed: number, jobs: number): Submission[] {
  const random = mulberry32(seed);
  const chats = chatsOf(seed, jobs);
  const submissions: Submission[] = [];
  for (let at = 0; at < chats.length; ) {
    const isBatch = random() < BATCHES;
    const size = isBatch ? BATCH_SIZES.least + below(random, BATCH_SIZES.most - BATCH_SIZES.least) : 1;
    submissions.push({
      key: `${seed} from ${at}`,
      kind: isBatch ? "batch" : "job",
      way: random() < 0.5 ? "rest" : "connect",
      chats: chats.slice(at, at + size),
      cancelledAfterMs: random() < CANCELLED ? below(random, CANCEL_SPREAD_MS) : undefined,
    });
    at += size;
  }
  return submissions;
}

/** Of the calls that the books are tested by, those that a job can be, and that a hard budget takes. */
function chatsOf(seed: number, count: number): Chat[] {
  const plans = plansOf(seed, 2 * count).filter(
    ({ kind, request }) => kind !== "embed" && !request.model?.includes("unheard-of"),
  );
  if (plans.length < count) throw new Error(`${plans.length} chats are too few for ${count} jobs`);
  return plans.slice(0, count).map(({ mark, request }) => ({ mark, request }));
}
