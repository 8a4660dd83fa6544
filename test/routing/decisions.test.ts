/** Which fields of a request decide, which mean nothing beside them, and who stands behind the one that is chosen. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Capabilities } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { CompleteConfig } from "../../src/config/defaults.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { PlannedCall } from "../../src/core/call.ts";
import { toFailure } from "../../src/core/failure.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import type { ModelPrice } from "../../src/cost/catalog.ts";
import { type RouteMeans, route } from "../../src/layers/route.ts";
import { policyRulesOf, routesOf } from "../../src/routes.ts";
import { type CallInit, callOf, replyOf } from "../support/call.ts";
import { routeMeansOf } from "../support/route.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-routing-"));
afterAll(() => rmSync(folder, { recursive: true }));

const CONFIG = loaded(`
  aliases:
    pair: {targets: [{target: openai/big, weight: 3}, {target: claude/small}]}
    roaming: {targets: [{target: openai/big}, {target: claude/small}], sticky: false}
    one: {targets: [{target: openai/big}]}
    blind: {targets: [{target: openai/blind}, {target: mistral/x}]}
    tight: {targets: [{target: openai/tight}]}
    away: {targets: [{target: mistral/x}]}
    gpt-4o: {targets: [{target: claude/small}]}
  fallback_chains:
    default: [openai/big, mistral/x, gemini/flash]
    short: [gemini/flash]
    blind: [openai/blind, claude/small]
  routing_policies:
    dear: {prefer: [openai/big, claude/small], optimize: preference}
  task_types: {songs: claude/small, hymns: pair, psalms: mistral/x}
`);
const WITHOUT_CHAIN = { ...CONFIG, fallbackChains: {} };

const MODELS: Readonly<Record<string, Partial<ModelPrice>>> = {
  big: { capabilities: { promptCaching: true } as Capabilities },
  blind: { capabilities: { vision: false } as Capabilities },
  tight: { contextWindowTokens: 10 },
};

function loaded(yaml: string): CompleteConfig {
  const file = join(folder, "gateway.yaml");
  writeFileSync(file, yaml);
  return loadConfig({ file, env: {} });
}

/** `mistral` is off, `claude` costs least, requests have 100 tokens, and the first target is always drawn. */
function meansOf(config: CompleteConfig, random: () => number): RouteMeans {
  const off = (name: string) => (name === "mistral" ? "it has no key" : "");
  const rules = policyRulesOf(config, (name) => !off(name));
  const models = {
    find: ({ model }: { model: string }) => MODELS[model] as ModelPrice | undefined,
    drops: () => false,
    offered: () => [],
  };
  return routeMeansOf({
    directory: {
      provider: (name) =>
        Object.hasOwn(config.providers, name)
          ? { name, defaultModels: { chat: `${name}-usual`, embeddings: "" }, models: [] }
          : undefined,
      providers: Object.keys(config.providers),
      providersOf: (model) => (model === "listed" ? ["gemini"] : []),
      defaultModels: { chat: "openai/usual", embeddings: "" },
    },
    routes: routesOf(config, models),
    models,
    off,
    random,
    inputTokens: () => 100,
    policy: (name) => rules.get(name),
    policies: [...rules.keys()],
    cost: (_, { provider }) => (provider === "claude" ? 1n : 2n) as PicoUsd,
    leastCost: () => 0n as PicoUsd,
  });
}

async function routed(init: CallInit, config = WITHOUT_CHAIN, random = () => 0) {
  const call = callOf(init);
  let planned: PlannedCall | undefined;
  await route(meansOf(config, random))(async (below) => {
    planned = below;
    return replyOf([]);
  })(call);
  const { policy, name, reason, fallbackChain, candidates = [] } = call.tally.route ?? {};
  return {
    targets: planned?.targets.map(({ provider, model }) => `${provider}/${model}`),
    policy,
    name,
    reason,
    fallbackChain,
    candidates,
  };
}

const IMAGE = {
  role: "user",
  parts: [
    {
      part: { case: "image" as const, value: { source: { case: "url" as const, value: "https://a/b.png" } } },
    },
  ],
};

describe("who is chosen", () => {
  it.each<[NonNullable<CallInit["request"]>, string, string, string]>([
    [{ model: "openai/x" }, "openai/x", "explicit", ""],
    [{ model: "openai/x", preferLowCost: true, taskType: "songs" }, "openai/x", "explicit", ""],
    [{ model: "openai/x", taskType: "nonsense" }, "openai/x", "explicit", ""],
    [{ model: "listed" }, "gemini/listed", "catalog", ""],
    [{ model: "gpt-4o" }, "claude/small", "alias", "gpt-4o"],
    [{ model: "pair" }, "openai/big claude/small", "alias", "pair"],
    [{ model: "pair", taskType: "songs" }, "openai/big claude/small", "alias", "pair"],
    [{ model: "pair", preferLowCost: true }, "claude/small openai/big", "low_cost", "low_cost"],
    [{ model: "pair", routingPolicy: "dear" }, "openai/big claude/small", "routing_policy", "dear"],
    [{ routingPolicy: "dear", preferLowCost: true }, "openai/big claude/small", "routing_policy", "dear"],
    [{ routingPolicy: "dear", taskType: "songs" }, "openai/big claude/small", "routing_policy", "dear"],
    [{ taskType: "songs" }, "claude/small", "task_type", "songs"],
    [{ taskType: "hymns" }, "openai/big claude/small", "task_type", "hymns"],
    [{ taskType: "psalms" }, "openai/usual", "default", ""],
    [{}, "openai/usual", "default", ""],
  ])("%j", async (request, targets, policy, name) => {
    const decision = await routed({ request });
    expect(decision).toMatchObject({ targets: targets.split(" "), policy, name, fallbackChain: "" });
  });

  it("is the cheapest of all who are on, with prefer_low_cost alone", async () => {
    const { targets = [], policy } = await routed({ request: { preferLowCost: true } });
    expect(targets[0]).toMatch(/^claude\//);
    expect(targets.join()).not.toContain("mistral");
    expect(policy).toBe("low_cost");
  });

  it("is drawn anew for each call of an alias, but not for those of a session", async () => {
    let draws = 0;
    const random = () => (draws++ % 2 ? 0.99 : 0);
    const first = async (request: CallInit["request"]) =>
      (await routed({ request: request ?? {} }, WITHOUT_CHAIN, random)).targets?.[0];
    const twice = async (request: CallInit["request"]) => [await first(request), await first(request)];
    expect(await twice({ model: "pair" })).toEqual(["openai/big", "claude/small"]);
    expect(await twice({ model: "roaming", sessionId: "s" })).toEqual(["openai/big", "claude/small"]);
    expect(new Set(await twice({ model: "pair", sessionId: "s" })).size).toBe(1);
  });

  it("differs for the same session of different tenants", async () => {
    const targets = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const request = { model: "pair", sessionId: "s" };
        return (await routed({ request, context: { tenant: `tenant-${index}` } })).targets?.[0];
      }),
    );
    expect(new Set(targets).size).toBe(2);
  });
});

describe("a request is refused", () => {
  it.each<[NonNullable<CallInit["request"]>, string, string, RegExp]>([
    [{ model: "openai/x", routingPolicy: "dear" }, "invalid_request", "routing_policy", /leave model or/],
    [{ modelVersion: "x", routingPolicy: "dear" }, "invalid_request", "model", /name the provider/],
    [{ routingPolicy: "cheap" }, "invalid_request", "routing_policy", /there are low_cost, dear/],
    [{ taskType: "noise" }, "invalid_request", "task_type", /songs, hymns, psalms/],
    [{ model: "away" }, "provider_unavailable", "", /mistral is off: it has no key/],
    [{ model: "tight" }, "context_too_long", "messages", /about 100 tokens, and it takes 10/],
    [
      { model: "blind", messages: [IMAGE] },
      "invalid_request",
      "model",
      /does not look at images.*mistral is off/,
    ],
    [
      { fallbackChain: "long" },
      "invalid_request",
      "fallback_chain",
      /there are default, short, blind; "none" wants nobody/,
    ],
  ])("%j", async (request, kind, field, text) => {
    const failure = await routed({ request }, request.fallbackChain ? CONFIG : WITHOUT_CHAIN).then(
      () => undefined,
      toFailure,
    );
    expect(failure?.kind).toBe(kind);
    expect(failure?.message).toMatch(text);
    if (field) expect(failure?.violations.map((one) => one.field)).toEqual([field]);
  });
});

describe("who stands behind", () => {
  it.each<[string, CallInit, string, string]>([
    ["the default chain", { request: { model: "claude/x" } }, "claude/x openai/big gemini/flash", "default"],
    ["nobody twice", { request: { model: "openai/big" } }, "openai/big gemini/flash", "default"],
    [
      "the chain that is named",
      { request: { fallbackChain: "short" } },
      "openai/usual gemini/flash",
      "short",
    ],
    ["nobody for none", { request: { fallbackChain: "none" } }, "openai/usual", ""],
    [
      "an alias's others, then the chain",
      { request: { model: "pair" } },
      "openai/big claude/small gemini/flash",
      "default",
    ],
    [
      "nobody who cannot",
      { request: { fallbackChain: "blind", messages: [IMAGE] } },
      "openai/usual claude/small",
      "blind",
    ],
    [
      "the chain alone, where nobody of the alias can",
      { request: { model: "away" } },
      "openai/big gemini/flash",
      "default",
    ],
    ["nobody in a batch", { request: { parameters: { serviceTier: "batch" } } }, "openai/usual", ""],
    ["nobody for embeddings", { embed: { model: "one", input: ["x"] } }, "openai/big", ""],
  ])("%s", async (_, init, targets, fallbackChain) => {
    expect(await routed(init, CONFIG)).toMatchObject({ targets: targets.split(" "), fallbackChain });
  });
});

describe("candidates", () => {
  it("are none where there was no choice", async () => {
    for (const request of [{ model: "openai/x" }, { model: "one" }, {}])
      expect((await routed({ request })).candidates).toEqual([]);
  });

  it("are those who could be asked, in that order, then the others with why", async () => {
    const { candidates } = await routed({ request: { model: "blind", messages: [IMAGE] } }, CONFIG);
    expect(candidates.map(({ provider, model, eligible }) => [`${provider}/${model}`, eligible])).toEqual([
      ["openai/big", true],
      ["gemini/flash", true],
      ["openai/blind", false],
      ["mistral/x", false],
      ["mistral/x", false],
    ]);
    expect(candidates[2]?.reason).toBe("messages[0].parts[0].image: it does not look at images");
  });
});
