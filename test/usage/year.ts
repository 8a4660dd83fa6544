/**
 * A year of traffic, made up by a seed: twenty models, thirty keys of ten teams, office hours and weekends, retries,
 * failures, and attempts without usage, price or end. It knows no database.
 */
import type { Columns } from "../../src/store/rows.ts";
import { randomOf } from "./random.ts";

export type Row = (string | number | null)[];

export interface Traffic {
  /** In the order of their begin. */
  readonly attempts: Row[];
  readonly calls: Row[];
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
export const YEAR_BEGIN_MS = Date.UTC(2025, 7, 1);
/** It ends in the middle of a day, and its last hour is open. */
export const NOW_MS = YEAR_BEGIN_MS + 365 * DAY + 14.4 * HOUR;
/** Before it, all is summed. */
export const OPEN_SINCE_MS = NOW_MS - (NOW_MS % HOUR);

/** In the order of a row's values. What is not here stands at its default. */
export const ATTEMPT_FIELDS = {
  call_id: "text",
  number: "integer",
  request_id: "text",
  instance: "text",
  started_at_ms: "bigint",
  settled_at_ms: "bigint",
  tenant: "text",
  principal: "text",
  tags: "json",
  operation: "text",
  provider: "text",
  model: "text",
  route: "text",
  trigger: "text",
  price_version: "text",
  reserved_pico_usd: "bigint",
  state: "text",
  outcome: "text",
  failure_kind: "text",
  latency_ms: "integer",
  first_event_ms: "integer",
  provenance: "text",
  input_tokens: "integer",
  cached_input_tokens: "integer",
  output_tokens: "integer",
  cost_pico_usd: "bigint",
  rolled_up: "integer",
} as const satisfies Columns;

export const CALL_FIELDS = {
  call_id: "text",
  request_id: "text",
  started_at_ms: "bigint",
  ended_at_ms: "bigint",
  tenant: "text",
  principal: "text",
  tags: "json",
  method: "text",
  operation: "text",
  protocol: "text",
  provider: "text",
  model: "text",
  policy: "text",
  route: "text",
  outcome: "text",
  failure_kind: "text",
  finish_reason: "text",
  attempts: "integer",
  provenance: "text",
  price_version: "text",
  cost_pico_usd: "bigint",
  saved_pico_usd: "bigint",
  cache_kind: "text",
  rolled_up: "integer",
} as const satisfies Columns;

/** @returns traffic hour by hour, about as many attempts as asked for in all */
export function* yearOf(attempts: number, seed = 1): Generator<Traffic> {
  const random = randomOf(seed);
  const hours = Math.ceil((NOW_MS - YEAR_BEGIN_MS) / HOUR);
  const weights = Array.from({ length: hours }, (_, hour) => weightOf(YEAR_BEGIN_MS + hour * HOUR));
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  let due = 0;
  let made = 0;
  for (const [hour, weight] of weights.entries()) {
    const traffic: Traffic = { attempts: [], calls: [] };
    const beginMs = YEAR_BEGIN_MS + hour * HOUR;
    const lengthMs = Math.min(HOUR, NOW_MS - beginMs);
    due += (attempts * weight) / whole;
    const count = Math.max(1, Math.round(due - made));
    while (made < due) {
      const atMs = beginMs + Math.floor((traffic.attempts.length / (count + 2)) * lengthMs);
      const before = traffic.attempts.length;
      addCall(traffic, atMs, made + traffic.calls.length, random);
      made += traffic.attempts.length - before;
    }
    yield traffic;
  }
}

interface Model {
  readonly provider: string;
  readonly model: string;
  /** Of a token in pico-dollars; undefined for those without a price. */
  readonly input: number | undefined;
  readonly output: number;
  readonly tokensPerSecond: number;
}

const PROVIDERS = ["openai", "claude", "gemini", "bedrock", "mistral"];
const MODELS: readonly Model[] = Array.from({ length: 20 }, (_, index) => ({
  provider: PROVIDERS[index % PROVIDERS.length] ?? "",
  model: `model-${index + 1}`,
  input: index === 19 ? undefined : 37_500 * (1 + index * index),
  output: 150_000 * (1 + index * index),
  tokensPerSecond: 40 + 12 * (index % 7),
}));

interface Key {
  readonly principal: string;
  readonly tenant: string;
  readonly tags: string;
  readonly models: readonly Model[];
  readonly route: string;
}

const KEYS: readonly Key[] = Array.from({ length: 30 }, (_, index) => ({
  principal: `key-${index + 1}`,
  tenant: index < 24 ? "internal" : "partners",
  tags:
    index % 10 === 9
      ? "{}"
      : JSON.stringify({ stage: index < 20 ? "live" : "test", team: `team-${index % 10}` }),
  models: [0, 3, 7, 11].map((step) => MODELS[(index * 3 + step) % MODELS.length] as Model),
  route: ["explicit", "alias:fast", "routing_policy:cheap"][index % 3] ?? "",
}));

const FAILURES = ["rate_limited", "provider_unavailable", "timeout", "cut"];

function addCall({ attempts, calls }: Traffic, startedAtMs: number, nth: number, random: () => number): void {
  const key = KEYS[Math.floor(random() ** 2 * KEYS.length)] as Key;
  const first = key.models[Math.floor(random() ** 2 * key.models.length)] as Model;
  const id = `${startedAtMs.toString(16).padStart(12, "0")}-7-${nth.toString(16).padStart(9, "0")}`;
  const request = `r-${id}`;
  const rolledUp = startedAtMs < OPEN_SINCE_MS ? 1 : 0;
  const { principal, tenant, tags, route } = key;
  const [policy = ""] = route.split(":");
  const operation = "chat";
  const cached = random() < 0.05;
  const luck = random();
  const tries = cached ? 0 : luck < 0.93 ? 1 : luck < 0.985 ? 2 : 3;
  let cost: number | null = 0;
  let outcome = "ok";
  let failure = "";
  let atMs = startedAtMs;
  for (let number = 1; number <= tries; number++) {
    const last = number === tries;
    const model = number === 3 ? (key.models[0] as Model) : first;
    const fate = random();
    const state = fate < 0.001 ? "unknown" : "settled";
    outcome =
      state === "unknown" ? "unknown" : !last || fate < 0.02 ? "failed" : fate < 0.03 ? "abandoned" : "ok";
    failure = outcome === "failed" ? (FAILURES[Math.floor(random() * FAILURES.length)] ?? "") : "";
    const input = Math.floor(50 + random() ** 3 * 20_000);
    const cachedInput = random() < 0.3 ? input >> 1 : 0;
    const output = outcome === "failed" ? 0 : Math.floor(5 + random() ** 2 * 1_500);
    const firstMs = Math.floor(150 + random() ** 4 * 4_000);
    const latencyMs = firstMs + Math.floor((output * 1_000) / model.tokensPerSecond);
    const free = outcome === "failed";
    const price =
      state === "unknown" || model.input === undefined
        ? null
        : free
          ? 0
          : (input - cachedInput) * model.input + cachedInput * (model.input / 2) + output * model.output;
    const known = state === "settled";
    const trigger = number === 1 ? "first" : number === 2 ? "retry" : "fallback";
    attempts.push([
      id,
      number,
      request,
      "year",
      atMs,
      atMs + latencyMs,
      tenant,
      principal,
      tags,
      operation,
      model.provider,
      model.model,
      route,
      trigger,
      "7",
      (model.input ?? 0) * 30_000,
      state,
      outcome,
      failure,
      known ? latencyMs : null,
      known && !free ? firstMs : null,
      known ? (outcome === "abandoned" || fate < 0.05 ? "estimated" : "measured") : "unknown",
      known ? (free ? 0 : input) : null,
      known ? (free ? 0 : cachedInput) : null,
      known ? output : null,
      price,
      rolledUp,
    ]);
    cost = cost === null || price === null ? null : cost + price;
    atMs += free ? 20 : latencyMs;
  }
  calls.push([
    id,
    request,
    startedAtMs,
    atMs,
    tenant,
    principal,
    tags,
    "Chat",
    operation,
    "rest",
    first.provider,
    first.model,
    policy,
    route,
    outcome === "unknown" ? "abandoned" : outcome,
    failure,
    outcome === "ok" ? "stop" : "",
    tries,
    cost === null ? "unknown" : "measured",
    "7",
    cost,
    cached ? 400 * first.output : 0,
    cached ? "exact" : "",
    rolledUp,
  ]);
}

/** Most is asked in the afternoon of a working day. */
function weightOf(atMs: number): number {
  const date = new Date(atMs);
  const office = 1 + Math.sin(((date.getUTCHours() - 8) / 24) * 2 * Math.PI);
  const weekend = date.getUTCDay() % 6 === 0 ? 0.3 : 1;
  return (0.15 + office) * weekend;
}
