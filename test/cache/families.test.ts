/** Who shares answers with whom, whatever name they asked by, and what the configuration says of each. */
import { describe, expect, it } from "vitest";
import type { ChatInit } from "../support/callers.ts";
import { cachingFrom, ruleFor } from "./caching.ts";

const YAML = `
default_model: openai/gpt-4o
providers:
  openai: {default_model: gpt-4o}
  claude: {default_model: sonnet}
aliases:
  fast: {targets: [{target: openai/gpt-4o-mini}, {target: claude}]}
  gpt-4o: {targets: [{target: claude/opus}]}
fallback_chains: {short: [claude]}
routing_policies: {dear: {prefer: [openai], optimize: preference}}
task_types: {songs: claude}
cache:
  enabled: true
  ttl: 60s
  families:
    openai/gpt-4o: {ttl: 10s}
    fast: {enabled: false}
    openai/gpt-4o-mini: {ttl: 5s}
`;

const caching = cachingFrom(YAML);
const identity = (request: ChatInit, from = caching) => ruleFor(from, request)?.identity;

describe("one family", () => {
  it.each<[string, ChatInit[]]>([
    [
      "a model by all its names",
      [
        { model: "openai/gpt-4o" },
        { model: "openai" },
        { model: "openai", modelVersion: "gpt-4o" },
        { model: "openai/gpt-4o-2024-11-20" },
        {},
        { sessionId: "s", fallbackChain: "short" },
        { model: "openai", fallbackChain: "none", preferLowCost: true, taskType: "nothing" },
      ],
    ],
    ["an alias", [{ model: "fast" }, { model: "fast", taskType: "songs" }]],
    ["a task", [{ taskType: "songs" }, { taskType: "songs", sessionId: "s" }]],
    ["the cheapest", [{ preferLowCost: true }, { routingPolicy: "low_cost" }]],
  ])("%s", (_, requests) => {
    const [first, ...others] = requests.map((request) => identity(request));
    expect(first).toBeDefined();
    expect(others).toEqual(others.map(() => first));
  });
});

it("all others apart", () => {
  const requests: ChatInit[] = [
    ...[{ model: "openai/gpt-4o" }, { model: "openai/gpt-4o-mini" }, { model: "claude/gpt-4o" }],
    ...[{ model: "gpt-4o" }, { model: "fast" }, { model: "claude" }, { taskType: "songs" }],
    ...[{ preferLowCost: true }, { routingPolicy: "dear" }, { taskType: "summarization" }],
    ...[
      { model: "fast", preferLowCost: true },
      { model: "fast", routingPolicy: "dear" },
    ],
  ];
  const identities = requests.map((request) => identity(request));
  expect(identities).not.toContain(undefined);
  expect(new Set(identities).size).toBe(requests.length);
});

it("a default that is an alias is that alias", () => {
  const other = cachingFrom(YAML.replace("default_model: openai/gpt-4o", "default_model: fast"));
  expect(identity({}, other)).toBe(identity({ model: "fast" }, other));
});

describe("is another family", () => {
  it.each<[string, ChatInit, string, string]>([
    ["an alias of other targets", { model: "fast" }, "target: openai/gpt-4o-mini", "target: openai/gpt-4o"],
    ["an alias of a provider whose default is another", { model: "fast" }, "model: sonnet", "model: haiku"],
    [
      "a model that another address serves",
      { model: "openai" },
      "{default_model: gpt-4o}",
      "{default_model: gpt-4o, base_url: http://other}",
    ],
    [
      "an alias of one",
      { model: "fast" },
      "{default_model: sonnet}",
      "{default_model: sonnet, base_url: http://other}",
    ],
    ["a task for another", { taskType: "songs" }, "songs: claude", "songs: openai"],
    ["a policy of others", { routingPolicy: "dear" }, "prefer: [openai]", "prefer: [claude]"],
    [
      "a policy among others",
      { routingPolicy: "dear", model: "fast" },
      "target: claude}",
      "target: claude/opus}",
    ],
    ["the default", {}, "default_model: openai/gpt-4o", "default_model: openai/gpt-4o-mini"],
  ])("%s", (_, request, before, after) => {
    expect(YAML).toContain(before);
    const other = cachingFrom(YAML.replace(before, after));
    expect(identity(request, other)).toBeDefined();
    expect(identity(request, other)).not.toBe(identity(request));
  });

  it("and an alias is none whose targets stand in another order or have other weights", () => {
    const targets = "[{target: openai/gpt-4o-mini}, {target: claude}]";
    const turned = "[{target: claude/sonnet, weight: 3}, {target: openai/gpt-4o-mini}]";
    expect(identity({ model: "fast" }, cachingFrom(YAML.replace(targets, turned)))).toBe(
      identity({ model: "fast" }),
    );
  });
});

it("has the rule that is written for it, by whatever name it is asked for", () => {
  const of = (request: ChatInit) => {
    const { family, enabled, ttlMs } = ruleFor(caching, request) ?? {};
    return [family, enabled, ttlMs];
  };
  expect(of({ model: "openai/gpt-4o-2024-11-20" })).toEqual(["openai/gpt-4o", true, 10_000]);
  expect(of({})).toEqual(["openai/gpt-4o", true, 10_000]);
  expect(of({ model: "fast" })).toEqual(["fast", false, 60_000]);
  expect(of({ model: "gpt-4o" })).toEqual(["gpt-4o", true, 60_000]);
  expect(of({ model: "claude" })).toEqual(["claude/sonnet", true, 60_000]);
  expect(of({ taskType: "songs" })).toEqual(["task_type songs", true, 60_000]);
});

describe("there is none", () => {
  it.each<ChatInit>([
    { model: "nobody/x" },
    { model: "nothing" },
    { modelVersion: "gpt-4o" },
    { model: "fast", modelVersion: "x" },
    { model: "openai/gpt-4o", routingPolicy: "dear" },
    { routingPolicy: "unknown" },
    { model: "fast", routingPolicy: "unknown" },
    { taskType: "unknown" },
    { model: "openai", fallbackChain: "unknown" },
  ])("for %j", (request) => {
    expect(ruleFor(caching, request)).toBeUndefined();
  });

  it("for no model where there is no default", () => {
    expect(ruleFor(cachingFrom("cache: {enabled: true}"), {})).toBeUndefined();
  });
});

it("is on where one family is", () => {
  expect(cachingFrom("cache: {enabled: false, families: {openai/gpt-4o: {ttl: 1s}}}").isOn).toBe(false);
  const one = cachingFrom("cache: {families: {openai/gpt-4o: {enabled: true}}}");
  expect([one.isOn, ruleFor(one, { model: "openai/gpt-4o" })?.enabled]).toEqual([true, true]);
  expect(ruleFor(one, { model: "openai/gpt-4o-mini" })?.enabled).toBe(false);
});
