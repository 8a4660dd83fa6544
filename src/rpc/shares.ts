/** Divides money among calls that are made at once. It makes no call. */
import { type PicoUsd, sum, ZERO } from "../core/money.ts";

/** None has less than this part of what they are expected to cost on the whole: what is expected may be wrong, or not known. */
const LEAST_PART = 100n;

/**
 * What each may cost at most, together no more than there is: by what each is expected to cost, so that each may go
 * equally far beyond that.
 *
 * @param expected 0 for what is not known
 */
export function sharesOf(most: PicoUsd, expected: readonly PicoUsd[]): PicoUsd[] {
  const least = expected.reduce(sum, ZERO) / LEAST_PART || 1n;
  const weights = expected.map((one) => (one > least ? one : least));
  const total = weights.reduce((all, one) => all + one, 0n);
  return weights.map((weight) => ((most * weight) / total) as PicoUsd);
}
