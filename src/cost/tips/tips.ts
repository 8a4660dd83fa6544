/** Ways to spend less, from what was spent by key and model. Each kind stands in a file of its own. */
import { create } from "@bufbuild/protobuf";
import { type Tip, TipSchema } from "../../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { Target } from "../../core/call.ts";
import { toUsd, ZERO } from "../../core/money.ts";
import type { Dimension, UsageSums } from "../../core/usage-store.ts";
import type { ModelPrice } from "../catalog.ts";
import { answerCacheTips } from "./answer-cache.ts";
import { type Alternatives, cheaperModelTips } from "./cheaper.ts";
import { promptCacheTips } from "./prompt-cache.ts";
import type { TipFields } from "./spend.ts";

export interface TipMeans {
  readonly priceOf: (target: Target) => ModelPrice | undefined;
  readonly alternatives: Alternatives;
  /** Whether the gateway keeps answers. */
  readonly cacheEnabled: boolean;
}

/** By which the sums must be told apart. */
export const TIPS_BY: readonly Dimension[] = ["key", "provider", "model"];

const MAX_TIPS = 20;
/** Of all that was spent, a tip must save a hundredth. */
const LEAST_PART = 100n;

export function tipsOf(sums: readonly UsageSums[], { priceOf, alternatives, cacheEnabled }: TipMeans): Tip[] {
  const spends = sums.map((sum) => {
    const [key = "", provider = "", model = ""] = sum.group;
    const target = { provider, model };
    return { key, target, sums: sum, price: priceOf(target) };
  });
  const spent = sums.reduce((sum, { costPicoUsd }) => sum + costPicoUsd, 0n);
  const worth = [...promptCacheTips(spends), ...cheaperModelTips(spends, alternatives)]
    .filter(({ saves = ZERO }) => saves * LEAST_PART >= spent)
    .sort((a, b) => ((b.saves ?? ZERO) > (a.saves ?? ZERO) ? 1 : -1))
    .slice(0, MAX_TIPS);
  return [...worth, ...answerCacheTips(spends, cacheEnabled)].map(tipOf);
}

function tipOf({ saves, ...fields }: TipFields): Tip {
  const saving = saves === undefined ? {} : { savesUsd: toUsd(saves), savesPicoUsd: saves };
  return create(TipSchema, { ...fields, ...saving });
}
