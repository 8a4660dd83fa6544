/** Who is chosen by a policy, in which order, and why the others are not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PicoUsd } from "../../src/core/money.ts";
import type { ModelPrice } from "../../src/cost/catalog.ts";
import { type ChooserMeans, choose, LOW_COST, type PolicyRule } from "../../src/routing/chooser.ts";
import { type CallInit, callOf } from "../support/call.ts";
import { failureOf } from "../support/failure.ts";
import { routeMeansOf } from "../support/route.ts";

interface Known {
  /** Pico-dollars; undefined without a price. */
  readonly cost?: number;
  readonly least?: number;
  readonly ms?: number;
  readonly state?: "closed" | "half_open" | "open";
  readonly awaitsProbe?: boolean;
  readonly off?: string;
  readonly region?: string;
  readonly quality?: string;
  readonly model?: Partial<ModelPrice>;
}

type World = Readonly<Record<string, Known>>;

const LAX: Omit<PolicyRule, "targets"> = {
  capabilities: [],
  region: "",
  minQuality: "",
  optimize: "cost",
};
const DIRECTORY = {
  provider: () => undefined,
  providers: [],
  providersOf: () => [],
  defaultModels: { chat: "", embeddings: "" },
};

/** The policy `p` over a world in which each provider has one model, `m`. */
function meansOf(world: World, rule: Partial<PolicyRule> = {}): ChooserMeans {
  const known = (provider: string): Known => world[provider] ?? {};
  const pico = (amount: number | undefined) =>
    amount === undefined ? undefined : (BigInt(amount) as PicoUsd);
  const targets = Object.keys(world).map((provider) => ({ provider, model: "m" }));
  const policies = new Map([
    ["p", { ...LAX, targets, ...rule }],
    [LOW_COST, { ...LAX, targets }],
  ]);
  return routeMeansOf({
    directory: DIRECTORY,
    models: {
      find: ({ provider }) => known(provider).model as ModelPrice | undefined,
      drops: () => false,
      offered: () => [],
    },
    off: (provider) => known(provider).off ?? "",
    inputTokens: () => 1_000,
    policy: (name) => policies.get(name),
    policies: [...policies.keys()],
    cost: (_, { provider }) => pico(known(provider).cost),
    leastCost: (_, { provider }) => pico(known(provider).least ?? 0),
    latencyMs: ({ provider }) => known(provider).ms,
    stateOf: ({ provider }) => known(provider).state ?? "closed",
    awaitsProbe: ({ provider }) => known(provider).awaitsProbe ?? false,
    region: (provider) => known(provider).region ?? "",
    quality: ({ provider }) => known(provider).quality ?? "standard",
  });
}

function order(world: World, rule: Partial<PolicyRule> = {}, init: CallInit = {}): string[] {
  return choose(callOf(init), "p", undefined, meansOf(world, rule)).targets.map(({ provider }) => provider);
}

describe("who does not stream", () => {
  const model = { capabilities: { streaming: false } as NonNullable<ModelPrice["capabilities"]> };
  const world = { silent: { cost: 1, model }, other: { cost: 2 } };

  it("is not asked for a stream, but for a job, which is answered at once then", () => {
    expect(order(world, {}, { streaming: true })).toEqual(["other"]);
    expect(order(world, {}, { streaming: true, context: { protocol: "job" } })).toEqual(["silent", "other"]);
  });
});

describe("orders", () => {
  it.each<[string, World, string, string[]]>([
    [
      "the cheapest first",
      { dear: { cost: 300 }, cheap: { cost: 100 }, middle: { cost: 200 } },
      "cost",
      ["cheap", "middle", "dear"],
    ],
    [
      "the faster of two that cost nearly the same",
      { slow: { cost: 100, ms: 900 }, fast: { cost: 101, ms: 90 } },
      "cost",
      ["fast", "slow"],
    ],
    [
      "the cheaper, however slow",
      { fast: { cost: 120, ms: 1 }, slow: { cost: 100, ms: 60_000 } },
      "cost",
      ["slow", "fast"],
    ],
    [
      "whom nobody has a price of after all others, however fast",
      { unpriced: { ms: 1 }, dear: { cost: 100_000, ms: 60_000 }, cheap: { cost: 1 } },
      "cost",
      ["cheap", "dear", "unpriced"],
    ],
    [
      "what is free before what is nearly free",
      { penny: { cost: 1 }, free: { cost: 0 } },
      "cost",
      ["free", "penny"],
    ],
    ["as preferred, where no price is known", { first: {}, second: {} }, "cost", ["first", "second"]],
    [
      "the fastest first, and by cost where that is nearly the same",
      { a: { ms: 1_000, cost: 1 }, b: { ms: 101, cost: 10 }, c: { ms: 100, cost: 400 } },
      "latency",
      ["b", "c", "a"],
    ],
    [
      "whose speed nobody knows among the fastest, so that it becomes known",
      { slow: { ms: 2_000 }, unknown: {}, fast: { ms: 100 } },
      "latency",
      ["unknown", "fast", "slow"],
    ],
    [
      "as preferred, whatever it costs",
      { dear: { cost: 900 }, cheap: { cost: 1 } },
      "preference",
      ["dear", "cheap"],
    ],
    [
      "half-open ones behind the closed and open ones last",
      { open: { cost: 1, state: "open" }, half: { cost: 2, state: "half_open" }, closed: { cost: 3 } },
      "cost",
      ["closed", "half", "open"],
    ],
    [
      "a half-open one that nobody tries just now in its own place",
      { dear: { cost: 3 }, half: { cost: 2, state: "half_open", awaitsProbe: true }, cheap: { cost: 1 } },
      "cost",
      ["cheap", "half", "dear"],
    ],
  ])("%s", (_, world, optimize, expected) => {
    expect(order(world, { optimize })).toEqual(expected);
  });

  it("the cheapest of a hundred first, though it is the least preferred", () => {
    const world = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`p${index}`, { cost: 1_000 - index * 5 }]),
    );
    expect(order(world)[0]).toBe("p99");
  });

  it("those that a call may choose among instead of the policy's own", () => {
    const means = meansOf({ a: { cost: 1 }, b: { cost: 2 }, c: { cost: 3 } });
    const among = ["c", "b"].map((provider) => ({ provider, model: "m" }));
    const { targets } = choose(callOf(), LOW_COST, among, means);
    expect(targets.map(({ provider }) => provider)).toEqual(["b", "c"]);
  });

  it("nobody first who costs over a tenth more than another that could be asked as well", () => {
    const known = fc.record(
      {
        cost: fc.nat(1_000_000),
        ms: fc.nat(100_000),
        state: fc.constantFrom("closed" as const, "half_open" as const, "open" as const),
        off: fc.constantFrom("", "it has no key"),
      },
      { requiredKeys: ["cost"] },
    );
    fc.assert(
      fc.property(fc.array(known, { minLength: 1, maxLength: 30 }), (all) => {
        const world = Object.fromEntries(all.map((one, index) => [`p${index}`, one]));
        const closed = all.filter(({ off, state }) => !off && (state ?? "closed") === "closed");
        fc.pre(closed.length > 0);
        const [first = ""] = order(world);
        const least = Math.min(...closed.map(({ cost }) => cost));
        expect(world[first]?.cost).toBeLessThanOrEqual(Math.max(least, 1) * 1.1);
        expect(world[first]?.state ?? "closed").toBe("closed");
      }),
    );
  });

  it("all who can serve, once each, by their scores", () => {
    const costs = fc.array(fc.option(fc.nat(1_000), { nil: undefined }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(costs, (all) => {
        const world = Object.fromEntries(
          all.map((cost, index) => [`p${index}`, cost === undefined ? {} : { cost }]),
        );
        const { targets, candidates } = choose(callOf(), "p", undefined, meansOf(world));
        expect(targets.map(({ provider }) => provider).sort()).toEqual(Object.keys(world).sort());
        const scores = candidates.map(({ score = Number.NaN }) => score);
        expect(scores).toEqual([...scores].sort((a, b) => a - b));
      }),
    );
  });
});

describe("leaves out, and says why", () => {
  const images = {
    messages: [{ role: "user", parts: [{ part: { case: "image", value: {} } }] }],
  } as NonNullable<CallInit["request"]>;
  it.each<[string, Known, Partial<PolicyRule>, CallInit, string]>([
    ["who is off", { off: "it has no key" }, {}, {}, "x is off: it has no key"],
    [
      "who cannot do what is asked",
      { model: { capabilities: { vision: false } as NonNullable<ModelPrice["capabilities"]> } },
      {},
      { request: images },
      "messages[0].parts[0].image: it does not look at images",
    ],
    [
      "whose window is too small",
      { model: { contextWindowTokens: 999 } },
      {},
      { request: { messages: [{ role: "user", content: "word ".repeat(200) }] } },
      "the conversation has about 1000 tokens, and it takes 999",
    ],
    [
      "where it would cost more than the policy has it",
      { cost: 3_000_000_000 },
      { maxCostPerRequest: 0.002 },
      {},
      "it would cost about $0.003, more than the policy's $0.002",
    ],
    ["who has no price, where it is limited", {}, { maxCostPerRequest: 1 }, {}, "its price is not known"],
    ["who has no price, where the call limits it", {}, {}, { maxCost: 1n }, "its price is not known"],
    [
      "where the call's own limit affords no reply",
      { cost: 9_000_000, least: 2_000_000 },
      {},
      { maxCost: 1_000_000n },
      "max_cost_usd affords no reply there: the least is about $0.000002",
    ],
    [
      "who is not known to do what the policy wants",
      { model: {} },
      { capabilities: ["json_schema"] },
      {},
      "it is not known to have json_schema",
    ],
    [
      "who serves elsewhere",
      { region: "us-east-1" },
      { region: "eu" },
      {},
      "it serves in us-east-1, not in eu",
    ],
    ["who serves nobody knows where", {}, { region: "eu" }, {}, "it serves in no region, not in eu"],
    ["who is not good enough", {}, { minQuality: "high" }, {}, "its quality is standard, and high is wanted"],
  ])("%s", (_, known, rule, init, reason) => {
    const able: Known = {
      cost: 10,
      region: "eu",
      quality: "high",
      model: { capabilities: { jsonSchema: true } as NonNullable<ModelPrice["capabilities"]> },
    };
    const means = meansOf({ x: known, able }, rule);
    const { targets, candidates } = choose(callOf(init), "p", undefined, means);
    expect(targets).toEqual([{ provider: "able", model: "m" }]);
    expect(candidates).toMatchObject([
      { provider: "able", eligible: true, estimatedPicoUsd: 10n },
      { provider: "x", eligible: false, reason },
    ]);
    expect(candidates[1]?.score).toBeUndefined();
  });

  it("not who affords a reply that is shorter than usual", () => {
    expect(order({ x: { cost: 9_000_000, least: 1_000_000 } }, {}, { maxCost: 1_000_000n })).toEqual(["x"]);
  });
});

describe("says of those it orders", () => {
  it("what the call would cost there, how fast they are, and how their circuits stand", () => {
    const means = meansOf({ a: { cost: 200, ms: 149.6, state: "half_open" }, b: { cost: 100 } });
    expect(choose(callOf(), "p", undefined, means).candidates).toMatchObject([
      { provider: "b", eligible: true, reason: "by cost", estimatedPicoUsd: 100n, estimatedUsd: 1e-10 },
      { provider: "a", reason: "by cost, usually 150 ms to the first word, its circuit is half open" },
    ]);
  });
});

describe("refuses", () => {
  const refusal = (name: string, means: ChooserMeans, init: CallInit = {}) =>
    failureOf(() => choose(callOf(init), name, undefined, means));

  it("a policy that there is not, and names those that there are", () => {
    expect(refusal("q", meansOf({}))).toMatchObject({
      kind: "invalid_request",
      violations: [{ field: "routing_policy", description: 'there is no policy "q"; there are p, low_cost' }],
    });
  });

  it("where nobody can serve, with why for each", () => {
    const failure = refusal(
      "p",
      meansOf({ a: { off: "it has no key" }, b: { region: "us" } }, { region: "eu" }),
    );
    expect(failure).toMatchObject({
      kind: "invalid_request",
      violations: [
        {
          field: "routing_policy",
          description:
            'no candidate of the policy "p" can serve this: a/m: a is off: it has no key; b/m: it serves in us, not in eu',
        },
      ],
    });
  });

  it("as a matter of money, where with more of it somebody could", () => {
    const world = { a: { off: "it has no key" }, b: { cost: 2_000_000 } };
    expect(refusal("p", meansOf(world, { maxCostPerRequest: 0.000_001 }))).toMatchObject({
      kind: "budget_exceeded",
    });
  });

  it("by the field that asked for it", () => {
    expect(refusal(LOW_COST, meansOf({ a: { off: "it has no key" } }))).toMatchObject({
      violations: [{ field: "prefer_low_cost" }],
    });
  });
});
