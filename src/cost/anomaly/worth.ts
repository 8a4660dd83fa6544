/**
 * What the tokens of an hour cost by the prices of now, whatever they were booked at: two hours that are compared by it
 * differ in what was asked for, never in prices.
 */
import type { UsageSums } from "../../core/usage-store.ts";
import type { ModelPrice } from "../catalog.ts";
import { pricedTogether } from "../summed.ts";

/** In pico-dollars. Without a price it is what was booked. */
export function worthOf(price: ModelPrice | undefined, sums: UsageSums): number {
  return Number(price ? pricedTogether(price, sums) : sums.costPicoUsd);
}
