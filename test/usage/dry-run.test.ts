/** What dry runs say against what then happens: over every provider, within bounds, and to the same refusals. */
import { expect, test } from "vitest";
import { startBoth } from "../support/gateway.ts";
import { mixed, type Task, type Told, tell } from "./dry-run.ts";

const SEED = 11;
const CALLS = 900;
/** Of the calls, those after which the models are known. */
const WARM = 300;
const MOST_ERROR = 0.1;

test("what a call costs is between what was foretold, and on average what was expected", {
  timeout: 180_000,
}, async () => {
  await using both = await startBoth();
  const all = await tell(both.url, mixed(SEED, CALLS));
  const ended = all.filter(({ kind, foretold }) => kind === "" && foretold?.minPicoUsd !== undefined);
  const outside = ended.filter((one) => !isWithin(one));
  const warm = ended.filter((one) => all.indexOf(one) >= WARM);
  const errors = byProvider(warm);
  console.log(tableOf(errors));
  expect(outside.map(described)).toEqual([]);
  expect(ended.length).toBeGreaterThan(0.8 * CALLS);
  expect(errors.map(({ provider }) => provider)).toContain("all");
  for (const { error } of errors.filter(({ provider }) => provider === "all"))
    expect(Math.abs(error)).toBeLessThan(MOST_ERROR);
});

function actualOf({ cost }: Told): number {
  return Number(cost?.actualPicoUsd ?? 0n);
}

function isWithin({ foretold, cost }: Told): boolean {
  const { minPicoUsd = 0n, maxPicoUsd = 0n, estimatedPicoUsd = 0n } = foretold ?? {};
  const actual = cost?.actualPicoUsd ?? -1n;
  return minPicoUsd <= actual && actual <= maxPicoUsd && minPicoUsd <= estimatedPicoUsd;
}

function described({ task, foretold, cost }: Told): string {
  return `${task.request.model}: ${foretold?.minPicoUsd} <= ${cost?.actualPicoUsd} <= ${foretold?.maxPicoUsd}`;
}

interface Errors {
  readonly provider: string;
  readonly calls: number;
  /** Of the sum. */
  readonly error: number;
  /** Of the calls' own errors, the median. */
  readonly median: number;
  /** How far the bounds stand off, as parts of the actual. */
  readonly least: number;
  readonly most: number;
}

function byProvider(told: readonly Told[]): Errors[] {
  const groups = Map.groupBy(told, ({ foretold }) => foretold?.provider ?? "");
  const sorted = [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [...sorted, ["all", [...told]] satisfies [string, Told[]]].map(([provider, calls]) => {
    const sum = (figure: (one: Told) => number) => calls.reduce((total, one) => total + figure(one), 0);
    const actual = sum(actualOf);
    const off = calls.map((one) => Math.abs(Number(one.foretold?.estimatedPicoUsd) / actualOf(one) - 1));
    return {
      provider,
      calls: calls.length,
      error: sum(({ foretold }) => Number(foretold?.estimatedPicoUsd)) / actual - 1,
      median: off.toSorted((a, b) => a - b)[Math.floor(off.length / 2)] ?? 0,
      least: sum(({ foretold }) => Number(foretold?.minPicoUsd)) / actual,
      most: sum(({ foretold }) => Number(foretold?.maxPicoUsd)) / actual,
    };
  });
}

function tableOf(errors: readonly Errors[]): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`.padStart(9);
  const lines = errors.map(
    ({ provider, calls, error, median, least, most }) =>
      `${provider.padEnd(10)} ${String(calls).padStart(5)} ${percent(error)} ${percent(median)} ${least.toFixed(2).padStart(9)} ${most.toFixed(1).padStart(9)}`,
  );
  return ["expected     calls     error    median   min/cost  max/cost", ...lines].join("\n");
}

test.each(["budgets", "soft budgets"])(
  "what is foretold to be refused is refused, and nothing else: %s",
  {
    timeout: 180_000,
  },
  async (name) => {
    const mode = name === "budgets" ? "hard" : "soft";
    await using both = await startBoth({
      budgets: [
        { name: "purse", each: ["tag:purse"], limit_usd: 0.004, per: "month", mode },
        { name: "claude", provider: "claude", limit_usd: 0.1, per: "month", mode },
      ],
    });
    const all = await tell(both.url, purses(mixed(SEED, 500)));
    const wrong = all.filter(({ foretoldKind, kind }) => foretoldKind !== kind);
    const kinds = Map.groupBy(all, ({ kind }) => kind);
    console.log([...kinds].map(([kind, calls]) => `${kind || "served"}: ${calls.length}`).join(", "));
    expect(wrong.map((one) => `${one.task.request.model}: ${one.foretoldKind} but ${one.kind}`)).toEqual([]);
    for (const kind of ["", "budget_exceeded", "unpriced_model", "invalid_request", "context_too_long"]) {
      if (mode === "hard" || kind !== "unpriced_model") expect(kinds.has(kind), kind).toBe(true);
    }
    const whole = all.filter(
      ({ kind, finishReason, foretold }) =>
        kind === "" && finishReason !== "budget_exceeded" && foretold?.minPicoUsd !== undefined,
    );
    expect(whole.filter((one) => !isWithin(one)).map(described)).toEqual([]);
  },
);

/** With little money, and some that no model can serve. */
function purses(tasks: readonly Task[]): Task[] {
  return tasks.map(({ request, streamed }, index) => {
    const metadata = { ...request.metadata, purse: String(index % 20) };
    const wish = WISHES[index % WISHES.length] ?? {};
    return { request: { ...request, metadata, ...wish }, streamed };
  });
}

const WISHES: readonly Task["request"][] = [
  {},
  { maxCostUsd: 0.0001 },
  {},
  { maxCostUsd: 0.000_002 },
  { parameters: { maxTokens: 500_000 }, model: "openai/gpt-4o" },
  {},
  { maxCostUsd: 0.01 },
  {
    model: "bedrock/meta.llama3-8b-instruct-v1:0",
    messages: [{ role: "user", content: "word ".repeat(9_000) }],
  },
  { model: "openai/gpt-unheard-of", maxCostUsd: 0.01 },
];
