/** Prometheus metrics. The names of the plan, in a registry of their own. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export interface Metrics {
  readonly registry: Registry;
  readonly requests: Counter<"provider" | "model" | "route" | "success">;
  readonly attempts: Counter<"provider" | "model" | "trigger" | "outcome">;
  readonly latencyMs: Histogram<"provider" | "model">;
  readonly tokens: Counter<"provider" | "model" | "direction">;
  readonly costUsd: Counter<"provider" | "model" | "route">;
  readonly unpriced: Counter<"provider" | "model">;
  readonly streamTokens: Counter<"provider" | "model">;
  readonly failures: Counter<"kind" | "route">;
  readonly costOptimized: Counter<"provider" | "model">;
  readonly retries: Counter<"provider" | "model" | "kind">;
  readonly retriesSpent: Counter<"provider" | "model">;
  readonly hedged: Counter<"provider" | "model" | "outcome">;
  readonly circuitTransitions: Counter<"provider" | "model" | "state">;
  readonly limitWaitMs: Histogram<"provider">;
  readonly limitRefusals: Counter<"provider" | "model" | "reason">;
  readonly cacheHits: Counter<"provider" | "model" | "kind">;
  readonly cacheMisses: Counter<"provider" | "model">;
  readonly cacheSavingsUsd: Counter<"provider" | "model">;
  readonly cacheTierHits: Counter<"tier">;
  readonly cacheRedisErrors: Counter<"operation">;
  readonly cacheRedisState: Gauge<"direction">;
  readonly semanticShadow: Counter<"provider" | "model" | "outcome">;
  readonly cacheEvictions: Counter<"reason">;
  readonly coalesced: Counter<"provider" | "model">;
  readonly coalescedSavingsUsd: Counter<"provider" | "model">;
  readonly moderation: Counter<"hook" | "action" | "stage">;
  readonly configReloads: Counter<"success">;
  readonly inFlight: Gauge<"route">;
  readonly budgetWarnings: Counter<"budget" | "ratio">;
  readonly budgetRefusals: Counter<"budget">;
  readonly ledgerLostRows: Counter;
  readonly ledgerErrors: Counter;
  readonly orphanedAttempts: Counter;
  readonly textsKept: Counter;
  readonly textsDropped: Counter<"reason">;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    requests: new Counter({
      name: "llm_requests_total",
      help: "Calls that reached a provider or were answered without one, by the provider and model that served last.",
      labelNames: ["provider", "model", "route", "success"],
      registers,
    }),
    attempts: new Counter({
      name: "llm_attempts_total",
      help: "Calls to providers, by what each was made for (first, retry, hedge, fallback) and what became of it.",
      labelNames: ["provider", "model", "trigger", "outcome"],
      registers,
    }),
    latencyMs: new Histogram({
      name: "llm_latency_ms",
      help: "Milliseconds from a call's arrival to the end of its reply.",
      labelNames: ["provider", "model"],
      buckets: [5, 10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000],
      registers,
    }),
    tokens: new Counter({
      name: "llm_tokens_total",
      help: "Tokens read (input) and written (output), over all attempts.",
      labelNames: ["provider", "model", "direction"],
      registers,
    }),
    costUsd: new Counter({
      name: "llm_cost_usd_total",
      help: "US dollars spent, over all attempts whose price is known.",
      labelNames: ["provider", "model", "route"],
      registers,
    }),
    unpriced: new Counter({
      name: "llm_unpriced_attempts_total",
      help: "Attempts whose cost is not known. Anything but 0 wants a look at the price catalog.",
      labelNames: ["provider", "model"],
      registers,
    }),
    streamTokens: new Counter({
      name: "llm_stream_tokens_total",
      help: "Tokens written in streams.",
      labelNames: ["provider", "model"],
      registers,
    }),
    failures: new Counter({
      name: "llm_failures_total",
      help: "Calls that failed, by kind (docs/errors.md), those that reached no provider included.",
      labelNames: ["kind", "route"],
      registers,
    }),
    costOptimized: new Counter({
      name: "llm_routing_cost_optimized_total",
      help: "Calls that a routing policy sent where they cost less than they would have without it.",
      labelNames: ["provider", "model"],
      registers,
    }),
    retries: new Counter({
      name: "llm_retries_total",
      help: "Times that a target was asked again, by the kind of the failure before.",
      labelNames: ["provider", "model", "kind"],
      registers,
    }),
    retriesSpent: new Counter({
      name: "llm_retry_budget_exhausted_total",
      help: "Times that a target was not asked again since it had its share of retries.",
      labelNames: ["provider", "model"],
      registers,
    }),
    hedged: new Counter({
      name: "llm_hedged_requests_total",
      help: "Calls whose first attempt was slow: what became of the second (won, lost, failed with the first, abandoned by the caller, refused, capped).",
      labelNames: ["provider", "model", "outcome"],
      registers,
    }),
    circuitTransitions: new Counter({
      name: "llm_circuit_breaker_transitions_total",
      help: "Times that a circuit changed into a state; the model is empty for that of a provider.",
      labelNames: ["provider", "model", "state"],
      registers,
    }),
    limitWaitMs: new Histogram({
      name: "llm_concurrency_wait_ms",
      help: "Milliseconds that calls waited for others to end, of those that waited.",
      labelNames: ["provider"],
      buckets: [5, 10, 25, 50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000],
      registers,
    }),
    limitRefusals: new Counter({
      name: "llm_concurrency_refused_total",
      help: "Calls that a limit refused: it was full, as many waited as may, or the wait was too long.",
      labelNames: ["provider", "model", "reason"],
      registers,
    }),
    cacheHits: new Counter({
      name: "llm_cache_hit_total",
      help: "Calls that the cache answered, by who gave the answer once, and by how it was known.",
      labelNames: ["provider", "model", "kind"],
      registers,
    }),
    cacheMisses: new Counter({
      name: "llm_cache_miss_total",
      help: "Calls that the cache was asked about and had no answer to.",
      labelNames: ["provider", "model"],
      registers,
    }),
    cacheSavingsUsd: new Counter({
      name: "llm_cache_savings_usd_total",
      help: "US dollars that the answers which the cache gave had cost when a provider gave them.",
      labelNames: ["provider", "model"],
      registers,
    }),
    cacheTierHits: new Counter({
      name: "llm_cache_tier_hits_total",
      help: "Answers that the cache found, by where: in memory, or on Redis.",
      labelNames: ["tier"],
      registers,
    }),
    cacheRedisErrors: new Counter({
      name: "llm_cache_redis_errors_total",
      help: "Times that Redis failed the cache or was too slow for it, by what it was asked for.",
      labelNames: ["operation"],
      registers,
    }),
    cacheRedisState: new Gauge({
      name: "llm_cache_redis_state",
      help: "1 while the cache asks Redis (read) or tells it (write), 0 while it leaves it alone since it failed.",
      labelNames: ["direction"],
      registers,
    }),
    semanticShadow: new Counter({
      name: "llm_cache_semantic_shadow_total",
      help: "Calls that the semantic cache only measured: miss, or whether what it would have given is the same text.",
      labelNames: ["provider", "model", "outcome"],
      registers,
    }),
    cacheEvictions: new Counter({
      name: "llm_cache_evictions_total",
      help: "Answers that the cache let go of: expired, replaced, cleared, or beyond its bounds in entries or bytes.",
      labelNames: ["reason"],
      registers,
    }),
    coalesced: new Counter({
      name: "llm_coalesced_requests_total",
      help: "Calls that were answered with another call of the same request, which was under way.",
      labelNames: ["provider", "model"],
      registers,
    }),
    coalescedSavingsUsd: new Counter({
      name: "llm_coalesced_savings_usd_total",
      help: "US dollars that the answers of those calls cost those who paid for them.",
      labelNames: ["provider", "model"],
      registers,
    }),
    moderation: new Counter({
      name: "llm_moderation_total",
      help: "What moderation hooks found, by what came of it (allow, flag, redact, refuse, skipped) and where they looked.",
      labelNames: ["hook", "action", "stage"],
      registers,
    }),
    configReloads: new Counter({
      name: "llm_config_reloads_total",
      help: "Times that the configuration or the price catalog was read again.",
      labelNames: ["success"],
      registers,
    }),
    inFlight: new Gauge({
      name: "llm_requests_in_flight",
      help: "Calls under way.",
      labelNames: ["route"],
      registers,
    }),
    budgetWarnings: new Counter({
      name: "llm_budget_warnings_total",
      help: "Times that a budget's spend reached a part of its limit at which a warning is due.",
      labelNames: ["budget", "ratio"],
      registers,
    }),
    budgetRefusals: new Counter({
      name: "llm_budget_refusals_total",
      help: "Calls that a budget refused.",
      labelNames: ["budget"],
      registers,
    }),
    ledgerLostRows: new Counter({
      name: "llm_ledger_lost_rows_total",
      help: "Rows that the ledger could not keep. Anything but 0 means that its sums are too low.",
      registers,
    }),
    ledgerErrors: new Counter({
      name: "llm_ledger_errors_total",
      help: "Writes of the ledger that failed and were tried again.",
      registers,
    }),
    orphanedAttempts: new Counter({
      name: "llm_orphaned_attempts_total",
      help: "Attempts that a gateway left open when it died, booked at the most that they could cost.",
      registers,
    }),
    textsKept: new Counter({
      name: "llm_content_captured_total",
      help: "Requests whose text was written, where content_capture is on.",
      registers,
    }),
    textsDropped: new Counter({
      name: "llm_content_dropped_total",
      help: "Requests whose text was to be kept and is lost: there was no room in memory (full), or the database took none (failed).",
      labelNames: ["reason"],
      registers,
    }),
  };
}
