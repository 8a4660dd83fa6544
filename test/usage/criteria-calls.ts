/** Which calls are made for the plan's criteria: every front asks every provider's format, for every end that a call can have. */
import { EMBEDDERS, WEATHER } from "../money/plans.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";

/** What kind of call it is, and with that how it ends. */
export type Kind =
  | "chat"
  | "stream"
  | "tools"
  | "long prompt"
  | "embeddings"
  | "fallback"
  | "cache hit"
  | "usage not told"
  | "usage of a stream not told"
  | "caller left"
  | "cut off"
  | "provider refused"
  | "no price"
  | "no such model"
  | "too dear";

export interface Planned {
  /** By which it is known to its provider, in its tags, and as its request id. */
  readonly mark: string;
  /** The number of the front in CALLERS. */
  readonly caller: number;
  readonly kind: Kind;
  /** Of the provider whose format it is about. */
  readonly provider: string;
  readonly way: "chat" | "stream" | "embed";
  readonly request: ChatInit;
  readonly texts: readonly string[];
  /** After so many events. */
  readonly leavesAfter: number | undefined;
  /** The trace that it says to be part of; undefined for none. */
  readonly trace: string | undefined;
}

/** A provider where nobody listens. */
export const DOWN = "down/gpt-4o";

const MODELS = [
  "openai/gpt-4o",
  "openai/gpt-5-mini",
  "claude/claude-sonnet-4-5",
  "claude/claude-haiku-4-5",
  "gemini/gemini-2.5-flash",
  "vertex_ai/gemini-2.0-flash",
  "mistral/mistral-small-latest",
  "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
  "bedrock/amazon.nova-lite-v1:0",
  "bedrock/meta.llama3-3-70b-instruct-v1:0",
] as const;

/** Models that Bedrock serves without tools. */
const WITHOUT_TOOLS: ReadonlySet<string> = new Set(["bedrock/meta.llama3-3-70b-instruct-v1:0"]);

const USUAL: readonly Kind[] = ["chat", "stream", "tools", "long prompt", "long prompt"];
/** Each model meets each of them once at some front, and each front each of them once with some model. */
const RARE: readonly Kind[] = [
  "fallback",
  "cache hit",
  "usage not told",
  "usage of a stream not told",
  "caller left",
  "cut off",
  "provider refused",
  "no price",
  "no such model",
  "too dear",
];

const LONG = "You are a patient assistant who answers in few and simple words. ".repeat(120);

/** The chains by which `fallback` gets from where nobody listens to the provider that it is about. */
export function fallbackChains(): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(MODELS.map((model, at) => [`to-${at}`, [model]]));
}

/** In the order in which they are to be begun. */
export function plannedCalls(): Planned[] {
  const calls: Planned[] = [];
  const add = (caller: number, model: string, kind: Kind, at = 0) => {
    const mark = `criteria-${calls.length}`;
    // One in two comes with a trace of its caller's.
    const trace = calls.length % 2 === 0 ? `1${calls.length.toString(16).padStart(31, "0")}` : undefined;
    const provider = model.slice(0, model.indexOf("/"));
    calls.push({ mark, caller, kind, provider, trace, ...askOf(kind, model, mark, at) });
  };
  for (const caller of CALLERS.keys()) {
    for (const model of MODELS)
      for (const kind of USUAL) if (kind !== "tools" || !WITHOUT_TOOLS.has(model)) add(caller, model, kind);
    for (const model of EMBEDDERS) add(caller, model, "embeddings");
    for (const [at, model] of MODELS.entries())
      add(caller, model, RARE[(caller + at) % RARE.length] as Kind, at);
  }
  return calls;
}

type Ask = Pick<Planned, "way" | "request" | "texts" | "leavesAfter">;

function askOf(kind: Kind, model: string, mark: string, at: number): Ask {
  const tokens = (kind === "stream" ? 100 : 300) + ((Number(mark.replace(/\D/g, "")) * 37) % 300);
  const directed = (words: string) => `[[emulate: mark=${mark} ${words}]]`;
  const asked = (way: "chat" | "stream", words: string, request: ChatInit = {}): Ask => ({
    way,
    request: {
      model,
      messages: [{ role: "user", content: `${directed(words)} Tell me of the number ${mark}, please.` }],
      metadata: { mark },
      ...request,
    },
    texts: [],
    leavesAfter: undefined,
  });
  const broken = "tokens=300 interval_ms=10";
  switch (kind) {
    case "chat":
    case "stream":
      return asked(kind, `tokens=${tokens}`);
    case "cache hit":
      return asked("chat", `tokens=${tokens}`);
    case "tools":
      return asked("stream", "", {
        messages: [{ role: "user", content: `${directed("")} Ask get_weather about Rome, for ${mark}.` }],
        tools: [WEATHER],
      });
    case "long prompt": {
      const opening = { role: "system", content: LONG, cache: { ttl: "5m" } };
      const question = { role: "user", content: `${directed(`tokens=${tokens}`)} And what of ${mark}?` };
      return asked("chat", "", { messages: [opening, question] });
    }
    case "embeddings":
      return {
        way: "embed",
        request: { model, metadata: { mark } },
        texts: [`${directed("")} A text about ${mark}, which is not long.`],
        leavesAfter: undefined,
      };
    case "fallback":
      return asked("chat", `tokens=${tokens}`, { model: DOWN, fallbackChain: `to-${at}` });
    case "usage not told":
      return asked("chat", `tokens=${tokens} no_usage=1`);
    case "usage of a stream not told":
      return asked("stream", `tokens=${tokens} no_usage=1`);
    case "caller left":
      return { ...asked("stream", broken), leavesAfter: 100 };
    case "cut off":
      return asked("stream", `${broken} cut=150`);
    case "provider refused":
      return asked("chat", "status=500");
    case "no price":
      return asked("chat", `tokens=${tokens}`, { model: "openai/gpt-unheard-of" });
    case "no such model":
      return asked("chat", "", { model: "nobody/gpt-4o" });
    case "too dear":
      return asked("chat", "", { maxCostUsd: 0.000_000_001 });
  }
}
