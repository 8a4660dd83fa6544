/** Everything at once: a configuration with all that shapes traffic beside every policy, and calls that ask for all of it. */
import { mulberry32, type Random } from "../../src/emulator/random.ts";
import { type Plan, planOf } from "../money/plans.ts";
import { policiesAt, withPolicies } from "../money/policies.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { below, pick } from "../support/mutation.ts";

export const EMBEDDER = "openai/text-embedding-3-small";

/** Of one team, whose calls it is to refuse in the end. */
export const TIGHT = { name: "tight", limit_usd: 0.02, per: "month", tags: { team: "poor" } };

const ALL = { name: "all", limit_usd: 1_000, per: "month", mode: "soft" };

const SEMANTIC = { mode: "serve", embedder: EMBEDDER, threshold: 0.5, timeout: "0.25s" };

const HOOKS: readonly object[] = [
  { name: "pii", kind: "pii", restore: true },
  { name: "secrets", kind: "secrets" },
  { name: "asked", kind: "blocklist", words: ["falcon"], on: ["request"] },
  { name: "said", kind: "blocklist", words: ["on purpose"], on: ["stream", "reply"], models: ["mistral"] },
  { name: "masked", kind: "blocklist", words: ["emulator"], on: ["stream", "reply"], action: "redact" },
  {
    name: "lenient",
    kind: "provider_moderation",
    provider: "openai",
    models: ["openai", "shared"],
    action: "flag",
    fail: "open",
    timeout: "0.2s",
  },
  {
    name: "strict",
    kind: "provider_moderation",
    provider: "openai",
    models: ["claude"],
    on: ["request", "stream"],
    timeout: "0.2s",
  },
];

const SHADOW = { max_cost_per_hour: 20, max_per_minute: 10_000, timeout: "2s" };

const EXPERIMENTS = {
  trial: {
    models: ["house"],
    sticky_by: "none",
    variants: [
      { name: "one", model: "openai/gpt-4o" },
      { name: "other", model: "claude/claude-haiku-4-5", parameters: { temperature: 0.5 } },
    ],
    decision: { stop_on_harm: false },
    shadows: [
      { name: "small", model: "mistral/mistral-small-latest", ...SHADOW },
      { name: "seldom", model: "openai/gpt-4o", share: 0.3, ...SHADOW },
    ],
  },
};

const TEMPLATES = {
  plain: {
    messages: [
      { role: "system", content: "{{opening}}" },
      { role: "user", content: "{{text}}" },
    ],
  },
  tried: { prompt: "{{text}}", model: "house", max_tokens: 300 },
};

/** What a gateway is configured with beside its providers. */
export function everythingAt(emulatorUrl: string): object {
  const policies = policiesAt(emulatorUrl) as { readonly aliases: object };
  return {
    ...policies,
    aliases: { ...policies.aliases, house: { targets: [{ target: "openai/gpt-4o" }] } },
    budgets: [ALL, TIGHT],
    cache: { enabled: true, semantic: SEMANTIC },
    moderation: { hooks: HOOKS },
    experiments: EXPERIMENTS,
    templates: TEMPLATES,
  };
}

/** How many ask the same, two of them always in the same words. */
const EACH = 5;

/** @returns each call, and the question that it asks: that of those who may share an answer */
export function everythingOf(seed: number, count: number): ReadonlyMap<string, Asking> {
  const random = mulberry32(seed);
  const all = new Map<string, Asking>();
  for (let number = 0; all.size < count; number++) {
    // Too short to be taken for somebody's number.
    const question = `q${number}`;
    const drawn = planOf(random, question);
    const [first] = withPolicies([drawn], seed + number);
    if (!first) continue;
    if (first.kind === "embed") all.set(question, { question, plan: first, isPoor: false });
    else {
      const shape = shapeOf(random, first);
      for (let at = 0; at < EACH; at++) all.set(`${question}-${at}`, askingOf(random, question, shape, at));
    }
  }
  return all;
}

export interface Asking {
  readonly question: string;
  readonly plan: Plan;
  /** Whether the tight budget is about it. */
  readonly isPoor: boolean;
}

/** What those who ask a question have in common. */
interface Shape {
  readonly first: Plan;
  readonly request: ChatInit;
  readonly tail: string;
  readonly template: "" | "plain" | "tried";
  readonly isKeyed: boolean;
  readonly isCompared: boolean;
}

const TAILS: readonly string[] = [
  ...["", "", "", "", ""],
  " My address is {name}@example.com.",
  " The card is 4111 1111 1111 1111, and I am {name}@example.org.",
  " The key is sk-proj-1{key}.",
  " I hate to wait.",
  " It is about the falcon.",
];

function shapeOf(random: Random, first: Plan): Shape {
  const template = pick(random, ["", "", "", "plain", "tried"] as const);
  const [opening] = first.request.messages ?? [];
  const isPlain = opening?.cache === undefined && !first.request.tools;
  const house: ChatInit = {
    model: "house",
    parameters: {},
    tools: [],
    preferLowCost: false,
    routingPolicy: "",
  };
  const request = random() < 0.2 ? { ...first.request, ...house } : first.request;
  return {
    first,
    request,
    tail: pick(random, TAILS),
    template: isPlain ? template : "",
    isKeyed: random() < 0.2,
    isCompared: random() < 0.12,
  };
}

const COMPARED: readonly string[] = [
  "openai/gpt-4o",
  "claude/claude-haiku-4-5",
  "mistral/mistral-small-latest",
  "gemini/gemini-2.5-flash",
];

function askingOf(random: Random, question: string, shape: Shape, at: number): Asking {
  const { first, isKeyed, isCompared } = shape;
  const mark = `${question}-${at}`;
  const variant = Math.floor(at / 2);
  const isPoor = random() < 0.1;
  const models = isCompared && at % 2 === 0 ? COMPARED.slice(0, 2 + below(random, 3)) : undefined;
  const draw = random();
  const request: ChatInit = {
    ...saidBy(shape, variant),
    metadata: { mark, ...(isPoor ? { team: "poor" } : {}) },
    ...(isKeyed && !models ? { idempotencyKey: `${question}-${variant}` } : {}),
    ...(draw < 0.05 ? { cache: "bypass" } : draw < 0.1 ? { cache: "refresh" } : {}),
    ...(draw > 0.97 ? { sensitive: true } : {}),
    ...(!isKeyed && random() < 0.12 ? { maxCostUsd: pick(random, [0.000_02, 0.000_3, 0.01]) } : {}),
  };
  const kind = random() < 0.6 ? ("stream" as const) : ("chat" as const);
  const leaves = random() < 0.2 ? leavingOf(random, kind) : undefined;
  const deadlineMs = random() < 0.1 ? 20 + below(random, 300) : undefined;
  const plan: Plan = {
    ...first,
    mark,
    kind,
    caller: below(random, CALLERS.length),
    leaves,
    deadlineMs,
    request,
  };
  return { question, isPoor, plan: models ? { ...plan, models, request: comparable(request) } : plan };
}

function leavingOf(random: Random, kind: "stream" | "chat"): Plan["leaves"] {
  return kind === "stream" && random() < 0.5
    ? { afterEvents: 1 + below(random, 20) }
    : { afterMs: below(random, 250) };
}

/** The same question, in other words or with other personal data from one variant to the next. */
function saidBy({ request, tail, template }: Shape, variant: number): ChatInit {
  const { messages = [], model = "", ...others } = request;
  const [opening, asked] = messages;
  const words = `${asked?.content ?? ""}`;
  const said = variant === 1 ? words.replace(", please,", "").replace("] ", "] Please, ") : words;
  const text =
    said + tail.replace("{name}", NAMES[variant] ?? "").replace("{key}", (NAMES[variant] ?? "").repeat(8));
  if (template === "")
    return { ...request, messages: [...(opening ? [opening] : []), { role: "user", content: text }] };
  if (template === "plain")
    return { ...others, model, template, variables: { text, opening: `${opening?.content ?? ""}` } };
  const { parameters: _, tools: __, preferLowCost: ___, routingPolicy: ____, ...rest } = others;
  return { ...rest, template, variables: { text } };
}

const NAMES: readonly string[] = ["annette", "benedict", "caroline"];

/** Nobody else answers for a model that is compared. */
function comparable(request: ChatInit): ChatInit {
  const {
    model: _,
    preferLowCost: __,
    routingPolicy: ___,
    parameters: ____,
    tools: _____,
    ...rest
  } = request;
  const template = rest.template === "tried" ? { template: "plain", variables: plainly(rest) } : {};
  return { ...rest, ...template, fallbackChain: "none" };
}

function plainly({ variables = {} }: ChatInit): Record<string, string> {
  return { ...variables, opening: "Be brief." };
}
