/**
 * What one booked attempt had cost at another model, by its recorded tokens. It is an estimate: another tokenizer
 * counts otherwise, and another model writes more or less.
 */
import type { Target } from "../../core/call.ts";
import { usage as usageOf } from "../../core/usage.ts";
import type { BookedAttempt } from "../../core/usage-store.ts";
import type { ModelPrice } from "../catalog.ts";
import { type Prices, type Repriced, repriced } from "./reprice.ts";

/** To whom what is sent: by `provider/model`, or all chats by `all`. */
export type Moves = ReadonlyMap<string, Target>;

export interface Moved {
  readonly to: Target;
  readonly repriced: Repriced;
  /** Tokens from a prompt cache, which are priced as fresh ones: another provider has not cached them. */
  readonly cachedAsFresh: number;
  /** Whether the other model could not have read or written as much. */
  readonly tooLong: boolean;
}

/** Undefined for what is not moved. */
export function moved(booked: BookedAttempt, moves: Moves, prices: Prices): Moved | undefined {
  const to = targetOf(booked, moves);
  if (!to) return undefined;
  const { usage, provider } = booked.attempt;
  // A service tier's name means nothing elsewhere either.
  const stays = !usage || to.provider === provider;
  const elsewhere = stays
    ? usage
    : usageOf(usage.provenance as "measured", {
        ...usage,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        cacheWrite1hTokens: 0,
        serviceTier: "",
      });
  const result = repriced(booked, prices, to, elsewhere);
  const { model } = "model" in result ? result : {};
  return {
    to,
    repriced: result,
    cachedAsFresh: stays ? 0 : usage.cachedInputTokens + usage.cacheWriteTokens,
    tooLong: model !== undefined && usage !== undefined && exceeds(model, usage),
  };
}

function targetOf({ attempt, operation }: BookedAttempt, moves: Moves): Target | undefined {
  const named = moves.get(`${attempt.provider}/${attempt.model}`);
  if (named) return named;
  // A lookup in the semantic cache makes vectors too, whatever its call is about.
  return operation === "chat" && attempt.trigger !== "semantic_cache" ? moves.get("all") : undefined;
}

function exceeds(
  { contextWindowTokens = Number.POSITIVE_INFINITY, maxOutputTokens = Number.POSITIVE_INFINITY }: ModelPrice,
  { totalTokens, outputTokens }: { readonly totalTokens: number; readonly outputTokens: number },
): boolean {
  return totalTokens > contextWindowTokens || outputTokens > maxOutputTokens;
}
