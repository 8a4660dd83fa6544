/** Which counters a spending goes by: budgets, compiled once, and the calendar in UTC. It counts nothing. */
import type { Budget } from "../../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { SpendFilter } from "../../core/ledger.ts";
import { fromUsd, type PicoUsd } from "../../core/money.ts";
import type { Reach, Spending } from "./budgets.ts";
import type { Counter, Threshold } from "./counters.ts";

/** A budget as it is configured, complete. */
export type BudgetRule = Omit<Budget, "$typeName" | "$unknown">;

export interface Scopes {
  reach(spending: Spending): Reach;
  /** The counters of all budgets that are about it. */
  of(spending: Spending, nowMs: number): readonly Counter[];
  /** Whether there is such a budget. */
  has(budget: string): boolean;
}

export function compileScopes(rules: readonly BudgetRule[]): Scopes {
  const budgets = rules.map(compile);
  const names = new Set(rules.map(({ name }) => name));
  return {
    reach(spending) {
      let reach: Reach = "none";
      for (const { hard, matches } of budgets) {
        if (!matches(spending)) continue;
        if (hard) return "hard";
        reach = "soft";
      }
      return reach;
    },
    of(spending, nowMs) {
      const counters: Counter[] = [];
      for (const budget of budgets) {
        if (budget.matches(spending)) counters.push(budget.counterOf(spending, nowMs));
      }
      return counters;
    },
    has: (budget) => names.has(budget),
  };
}

interface Compiled {
  readonly hard: boolean;
  matches(spending: Spending): boolean;
  counterOf(spending: Spending, nowMs: number): Counter;
}

/** Counters are made once for each window and value; more values than this are made again. */
const MAX_KEPT = 10_000;

function compile(rule: BudgetRule): Compiled {
  const fixed = fixedOf(rule);
  const tags = Object.entries(rule.tags);
  const hard = rule.mode !== "soft";
  const limit = fromUsd(rule.limitUsd);
  const thresholds = rule.warnAt.toSorted((a, b) => a - b).map((ratio) => thresholdOf(limit, ratio));
  const identity = identityOf(rule);
  const each = rule.each.map(axisOf);
  const kept = new Map<string, Counter>();
  let window = { startMs: 0, endMs: 0 };

  function make(spending: Spending, value: string): Counter {
    return {
      key: `${identity}${value}@${window.startMs}`,
      budget: rule.name,
      scope: each.map(({ label, read }) => `${label}=${read(spending)}`).join(","),
      period: rule.per,
      limit,
      hard,
      thresholds,
      filter: each.reduce((filter, { narrow, read }) => narrow(filter, read(spending)), fixed),
      windowStartMs: window.startMs,
      windowEndMs: window.endMs,
    };
  }

  return {
    hard,
    matches: (spending) =>
      (rule.tenant === "" || rule.tenant === spending.tenant) &&
      (rule.key === "" || rule.key === spending.principal) &&
      (rule.provider === "" || rule.provider === spending.provider) &&
      (rule.model === "" || rule.model === spending.model) &&
      tags.every(([name, value]) => tagOf(spending, name) === value),
    counterOf(spending, nowMs) {
      if (nowMs < window.startMs || nowMs >= window.endMs) {
        window = windowOf(rule.per, nowMs);
        kept.clear();
      }
      let value = "";
      for (const { read } of each) value += quoted(read(spending));
      const known = kept.get(value);
      if (known) return known;
      if (kept.size >= MAX_KEPT) kept.clear();
      const counter = make(spending, value);
      kept.set(value, counter);
      return counter;
    },
  };
}

function thresholdOf(limit: PicoUsd, ratio: number): Threshold {
  const amount = (limit * BigInt(Math.round(ratio * PARTS))) / BigInt(PARTS);
  return { ratio, amount: amount as PicoUsd };
}

/** To how fine a part of the limit a ratio is taken. */
const PARTS = 1e9;

/** What makes a budget the same after a change of the configuration: all but its limit and its warnings. */
function identityOf({ name, per, tenant, key, provider, model, tags, each }: BudgetRule): string {
  const pairs = Object.entries(tags).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [name, per, tenant, key, provider, model, ...pairs.flat(), "", ...each].map(quoted).join("");
}

/** No two lists of texts become the same text, whatever is in them. */
function quoted(text: string): string {
  return `${text.length}:${text}`;
}

function fixedOf({ tenant, key, provider, model, tags }: BudgetRule): SpendFilter {
  return {
    ...(tenant && { tenant }),
    ...(key && { principal: key }),
    ...(provider && { provider }),
    ...(model && { model }),
    ...(Object.keys(tags).length > 0 && { tags }),
  };
}

/** One word of `each`: what of a spending it tells apart. */
interface Axis {
  readonly label: string;
  read(spending: Spending): string;
  narrow(filter: SpendFilter, value: string): SpendFilter;
}

const FIELDS: Readonly<Record<string, "tenant" | "principal" | "provider" | "model">> = {
  tenant: "tenant",
  key: "principal",
  provider: "provider",
  model: "model",
};

function axisOf(word: string): Axis {
  const field = FIELDS[word];
  if (field) {
    return {
      label: word,
      read: (spending) => spending[field],
      narrow: (filter, value) => ({ ...filter, [field]: value }),
    };
  }
  const name = word.slice("tag:".length);
  return {
    label: name,
    read: (spending) => tagOf(spending, name),
    narrow: (filter, value) => ({ ...filter, tags: { ...filter.tags, [name]: value } }),
  };
}

/** Tags come from callers, who may call them as they like. One that is missing is as good as empty, as in the ledger. */
function tagOf({ tags }: Spending, name: string): string {
  return (Object.hasOwn(tags, name) && tags[name]) || "";
}

function windowOf(per: string, nowMs: number): { startMs: number; endMs: number } {
  const now = new Date(nowMs);
  const at = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), now.getUTCHours()] as const;
  const [year, month, day, hour] = at;
  if (per === "hour") {
    return { startMs: Date.UTC(year, month, day, hour), endMs: Date.UTC(year, month, day, hour + 1) };
  }
  if (per === "day") return { startMs: Date.UTC(year, month, day), endMs: Date.UTC(year, month, day + 1) };
  return { startMs: Date.UTC(year, month), endMs: Date.UTC(year, month + 1) };
}
