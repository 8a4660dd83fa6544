/** What was spent by one key on one model, as tips are made of it. */
import type { Tip } from "../../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { Target } from "../../core/call.ts";
import { type PicoUsd, toUsd } from "../../core/money.ts";
import type { UsageSums } from "../../core/usage-store.ts";
import type { ModelPrice } from "../catalog.ts";

export interface Spend {
  /** The API key's name. */
  readonly key: string;
  readonly target: Target;
  readonly sums: UsageSums;
  /** Undefined when it is not known. */
  readonly price: ModelPrice | undefined;
}

export type TipFields = Omit<Tip, "$typeName" | "$unknown" | "savesUsd" | "savesPicoUsd"> & {
  /** Undefined where the ledger cannot know. */
  readonly saves: PicoUsd | undefined;
};

/** For people: to the cent, or where it is less than a dollar to three digits. */
export function dollars(amount: PicoUsd): string {
  const usd = toUsd(amount);
  return `$${usd >= 1 ? usd.toFixed(2) : usd.toFixed(12).replace(/(\.0*\d{3}).*/, "$1")}`;
}

export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
