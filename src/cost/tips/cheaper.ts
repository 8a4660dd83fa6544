/** Models that are able to do the same for much less. Whether they do it well the ledger does not know. */
import type { Target } from "../../core/call.ts";
import type { PicoUsd } from "../../core/money.ts";
import { nameOf } from "../../core/target.ts";
import type { ModelPrice } from "../catalog.ts";
import { pricedTogether } from "../summed.ts";
import { dollars, percent, type Spend, type TipFields } from "./spend.ts";

export interface Alternative {
  readonly target: Target;
  readonly price: ModelPrice;
}

/** Who could be asked instead. What is known of their answers is for whoever names them to mind. */
export type Alternatives = (target: Target) => readonly Alternative[];

export function cheaperModelTips(spends: readonly Spend[], alternatives: Alternatives): TipFields[] {
  return spends.flatMap((spend) => {
    const { key, target, sums, price } = spend;
    if (!price || sums.costPicoUsd === 0n) return [];
    const now = pricedTogether(price, sums);
    const other = nearest(alternatives(target), now, spend);
    if (!other) return [];
    // Booked are batches and tiers as well, for which the other is taken to be cheaper in the same measure.
    const saves = ((sums.costPicoUsd * (now - other.cost)) / now) as PicoUsd;
    const text = `${nameOf(other.target)} has the abilities of ${nameOf(target)} at ${percent(Number(other.cost) / Number(now))} of its price for the same tokens: ${dollars(saves)} less`;
    return [{ kind: "cheaper_model", key, ...target, saves, text, advice: ADVICE }];
  });
}

const ADVICE =
  "Try it on a part of the requests first, by an alias with weights, and compare the answers: the ledger knows prices and abilities, not how good an answer is, and another model can write more or less.";

/** Of those that cost at most half, the dearest: it is likely to be the closest in quality. */
function nearest(alternatives: readonly Alternative[], now: PicoUsd, { sums }: Spend) {
  return alternatives
    .map(({ target, price }) => ({ target, cost: pricedTogether(price, sums) }))
    .filter(({ cost }) => cost > 0n && cost * 2n <= now)
    .reduce<{ target: Target; cost: PicoUsd } | undefined>(
      (best, one) => (best && best.cost >= one.cost ? best : one),
      undefined,
    );
}
