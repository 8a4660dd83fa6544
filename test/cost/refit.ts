/**
 * The families' constants, read off recorded requests anew: from where documentation leaves them, towards the least
 * relative error. So what they are worth can be seen on a request that they were not read off.
 */
import { type Family, familyOf, textTokens, tokensAround } from "../../src/cost/family.ts";
import { featuresOf } from "../../src/cost/features.ts";
import type { Measured } from "./recorded.ts";

/** The relative error of the estimate for each, by constants that were fitted to the others of its family. */
export function refittedErrors(all: readonly Measured[]): number[] {
  const samples = all.map((one) => ({ ...one, family: familyOf(one), features: featuresOf(one.request) }));
  return samples.map((one) => {
    const others = samples.filter((other) => other !== one && other.family.name === one.family.name);
    const fitted = refit(documented(one.family), others);
    return Math.abs(Math.round(size(fitted, one)) / one.inputTokens - 1);
  });
}

interface Sample extends Measured {
  readonly features: ReturnType<typeof featuresOf>;
}

function size(family: Family, { features }: Sample): number {
  return Math.max(1, textTokens(family, features.text) + tokensAround(family, features));
}

/** What is known of a family without a recording; see the sources there. The rest is a guess. */
function documented(family: Family): Family {
  const guessed = {
    ...family,
    text: 1.05,
    base: 2,
    message: 3,
    tools: { any: 15, each: 5, text: 1 },
    schema: { any: 5, text: 0.7 },
    thinking: 10,
  };
  const { base, message } = family;
  if (family.name.startsWith("openai") || family.name === "gpt-oss")
    return { ...guessed, text: 1, base, message };
  if (family.name.startsWith("llama-3")) return { ...guessed, base, message };
  if (family.name.startsWith("claude")) return { ...guessed, tools: { any: 346, each: 5, text: 1 } };
  return guessed;
}

type Change = (family: Family, by: number) => Family;

const CHANGES: readonly Change[] = [
  (family, by) => ({ ...family, text: family.text + 0.3 * by }),
  (family, by) => ({ ...family, base: family.base + 6 * by }),
  (family, by) => ({ ...family, message: family.message + 3 * by }),
  ({ tools, ...family }, by) => ({ ...family, tools: { ...tools, any: tools.any + 250 * by } }),
  ({ tools, ...family }, by) => ({ ...family, tools: { ...tools, each: tools.each + 15 * by } }),
  ({ tools, ...family }, by) => ({ ...family, tools: { ...tools, text: tools.text + 0.5 * by } }),
  ({ schema, ...family }, by) => ({ ...family, schema: { ...schema, any: schema.any + 80 * by } }),
  ({ schema, ...family }, by) => ({ ...family, schema: { ...schema, text: schema.text + 0.7 * by } }),
  (family, by) => ({ ...family, thinking: family.thinking + 40 * by }),
];
/** What a step away from the documented value must gain. */
const PENALTY = 0.1;

/** One constant after the other, in ever smaller steps. */
function refit(start: Family, samples: readonly Sample[]): Family {
  let family = start;
  const moved = CHANGES.map(() => 0);
  let least = lossOf(family, samples, moved);
  for (let step = 1; step > 0.01; step *= 0.6) {
    for (let turn = 0; turn < 3 * CHANGES.length; turn++) {
      const at = turn % CHANGES.length;
      for (const by of [-2 * step, -step, -step / 2, step / 2, step, 2 * step]) {
        const changed = CHANGES[at]?.(family, by) ?? family;
        if (!isPositive(changed)) continue;
        const loss = lossOf(changed, samples, moved.with(at, (moved[at] ?? 0) + by));
        if (loss >= least) continue;
        family = changed;
        moved[at] = (moved[at] ?? 0) + by;
        least = loss;
      }
    }
  }
  return family;
}

function lossOf(family: Family, samples: readonly Sample[], moved: readonly number[]): number {
  let loss = 0;
  for (const by of moved) loss += PENALTY * Math.abs(by);
  for (const sample of samples) loss += Math.abs(Math.log(size(family, sample) / sample.inputTokens));
  return loss;
}

function isPositive({ text, base, message, tools, schema, thinking }: Family): boolean {
  const all = [text, base, message, tools.any, tools.each, tools.text, schema.any, schema.text, thinking];
  return all.every((one) => one >= 0);
}
