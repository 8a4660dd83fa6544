/** Every policy of resilience and routing at once: what is configured for it, and what calls ask for of it. */
import { mulberry32, type Random } from "../../src/emulator/random.ts";
import type { ChatInit } from "../support/callers.ts";
import { providersAt } from "../support/emulated.ts";
import { below, pick } from "../support/mutation.ts";
import type { Plan } from "./plans.ts";

/** Two calls in three are slower than that to their first word, and every other may be made twice. */
const HEDGING = { enabled: true, delay: "0.02s", max_share: 0.5 };
/** Under chaos circuits open by themselves now and then, and not for so long that nothing is called any more. */
const CIRCUIT = { min_calls: 20, error_rate: 0.4, open_for: "0.3s", probes: 3 };
/** Of one whose calls are cut short besides: it opens in every round. */
const FRAIL_CIRCUIT = { ...CIRCUIT, min_calls: 10, error_rate: 0.2 };
const RETRIES = { max: 3, base_delay: "0.02s", budget_ratio: 0.5 };

/** @returns what a gateway's configuration has of them, for providers at this emulator */
export function policiesAt(emulatorUrl: string): object {
  const resilience = {
    circuit_breaker: CIRCUIT,
    retries: RETRIES,
    hedging: HEDGING,
    limit: { max_in_flight: 40, max_queued: 100, max_wait: "2s" },
    stream_guard: { min_tokens_per_second: 20, window: "0.5s" },
  };
  const { openai, claude, mistral, ...others } = providersAt(emulatorUrl);
  return {
    resilience,
    providers: {
      ...others,
      openai: { ...openai, resilience: { hedging: { ...HEDGING, target: "next" } } },
      claude: { ...claude, resilience: { limit: { adaptive: true, max_in_flight: 60 } } },
      mistral: {
        ...mistral,
        timeouts: { first_event: "0.15s", total: "0.4s" },
        resilience: { circuit_breaker: FRAIL_CIRCUIT },
      },
    },
    aliases: {
      shared: {
        targets: [
          { target: "openai/gpt-4o-mini", weight: 3 },
          { target: "claude/claude-haiku-4-5", weight: 2 },
          { target: "mistral/mistral-small-latest", weight: 1 },
        ],
      },
      vectors: {
        targets: [{ target: "openai/text-embedding-3-small" }, { target: "mistral/mistral-embed" }],
      },
    },
    fallback_chains: {
      default: ["openai/gpt-4o", "gemini/gemini-2.5-flash"],
      long: [
        "vertex_ai/gemini-2.0-flash",
        "bedrock/amazon.nova-lite-v1:0",
        "claude/claude-haiku-4-5",
        "openai/gpt-4o",
      ],
    },
    routing_policies: {
      frugal: { max_cost_per_request: 1 },
      quick: { prefer: ["openai", "claude", "gemini"], optimize: "latency" },
    },
  };
}

/** For the wall: no answer comes before another attempt is made for it, and every failure is met by more of them. */
export function againAndElsewhere(chain: readonly string[]): object {
  return {
    resilience: {
      circuit_breaker: { enabled: false },
      retries: { ...RETRIES, budget_ratio: 10 },
      hedging: { ...HEDGING, max_share: 1 },
    },
    fallback_chains: { default: chain },
  };
}

/** The same calls, of which some leave it to the gateway who serves them, and who is asked next. */
export function withPolicies(plans: readonly Plan[], seed: number): Plan[] {
  const random = mulberry32(seed);
  return plans.map((plan) => ({
    ...plan,
    request: { ...plan.request, ...wayOf(random, plan) },
    // Of two attempts at once with several requests each nobody could say which belongs to which.
    texts: plan.texts.slice(0, 1),
  }));
}

const WAYS: readonly ChatInit[] = [
  {},
  { fallbackChain: "long" },
  { fallbackChain: "none" },
  { model: "shared" },
  { model: "shared", fallbackChain: "long" },
  { model: "shared", preferLowCost: true },
  { model: "", preferLowCost: true },
  { model: "", routingPolicy: "frugal", fallbackChain: "long" },
  { model: "", routingPolicy: "quick" },
  { resilience: { hedge: false, maxRetries: 1, firstEventTimeoutMs: 100 } },
];

function wayOf(random: Random, { kind, mark, request: { parameters } }: Plan): ChatInit {
  if (kind === "embed") return random() < 0.3 ? { model: "vectors" } : {};
  // The emulator thinks in no time, and with an effort some models think long: faster than any provider writes.
  if (parameters?.reasoningEffort || parameters?.reasoningBudgetTokens) return { fallbackChain: "none" };
  const session = random() < 0.2 ? { sessionId: `${mark.slice(0, -1)}${below(random, 3)}` } : {};
  return { ...pick(random, WAYS), ...session };
}
