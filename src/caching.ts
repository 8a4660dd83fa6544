/** What the configuration says of the cache, as its layer asks for it: made once, and looked up for each call. */
import { hash } from "node:crypto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Answers } from "./cache/answers.ts";
import { type Bounds, Memory } from "./cache/memory.ts";
import { createStorable } from "./cache/storable.ts";
import type { Turns } from "./cache/turns.ts";
import { isCacheOn } from "./config/cache.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Target } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { splitName } from "./core/target.ts";
import type { CacheMeans, FamilyRule } from "./layers/cache.ts";
import { type Asked, askedOf, type Names } from "./routing/asked.ts";
import { LOW_COST } from "./routing/chooser.ts";
import type { Directory } from "./routing/named.ts";
import { showCache } from "./telemetry/cache.ts";
import type { Metrics } from "./telemetry/metrics.ts";

export interface CachingMeans {
  readonly directory: Directory;
  /** The name under which all names of one model are one. */
  familyOf(target: Target): string;
  readonly answers: Answers;
  readonly turns: Turns;
  readonly clock: Clock;
}

export interface Caching extends CacheMeans {
  /** Whether any family has answers kept. */
  readonly isOn: boolean;
}

export function cachingOf(config: CompleteConfig, means: CachingMeans): Caching {
  const { cache } = config;
  const { answers, turns, clock } = means;
  const names = namesOf(config, means.directory);
  const families = familiesOf(config, means);
  return {
    isOn: isCacheOn(cache),
    answers,
    turns,
    clock,
    maxTtlMs: durationMs(cache.maxTtl),
    recording: { maxBytes: cache.maxEntryBytes, paced: cache.replay === "paced" },
    coalesce: cache.coalesce,
    ruleOf: (request) => {
      const asked = askedOf(request, names);
      return asked && families(asked);
    },
    objectionTo: createStorable(cache),
  };
}

/** What is kept, as the metrics show it. */
export function memoryOf(
  config: CompleteConfig,
  clock: Clock,
  { registry, cacheEvictions }: Metrics,
): Memory {
  const memory = new Memory(clock, boundsOf(config), (reason) => cacheEvictions.inc({ reason }));
  showCache(registry, () => memory.held);
  return memory;
}

export function boundsOf({ cache }: CompleteConfig): Bounds {
  return { maxEntries: cache.maxEntries, maxBytes: Number(cache.maxBytes) };
}

function namesOf(config: CompleteConfig, directory: Directory): Names {
  const { aliases, routingPolicies, taskTypes, fallbackChains } = config;
  return {
    directory,
    isAlias: (name) => Object.hasOwn(aliases, name),
    isPolicy: (name) => name === LOW_COST || Object.hasOwn(routingPolicies, name),
    isTask: (name) => Object.hasOwn(taskTypes, name),
    isChain: (name) => Object.hasOwn(fallbackChains, name),
  };
}

/** A family is another one once others answer for it: what was kept under the old configuration is found no more. */
function familiesOf(config: CompleteConfig, { familyOf }: CachingMeans): (asked: Asked) => FamilyRule {
  const { cache, aliases } = config;
  const usual = { enabled: cache.enabled, ttlMs: durationMs(cache.ttl) };
  const rules = new Map(
    Object.entries(cache.families).map(([name, { enabled, ttl }]) => [
      Object.hasOwn(aliases, name) ? name : familyOf(splitName(name)),
      { enabled, ttlMs: durationMs(ttl) },
    ]),
  );
  const rule = (family: string, identity: string): FamilyRule => ({
    family,
    identity,
    ...(rules.get(family) ?? usual),
  });
  const providers = mapOf(config.providers, ({ kind, preset, baseUrl, region, project }) =>
    digest([kind, preset, baseUrl, region, project]),
  );
  const shared = mapOf(aliases, ({ targets }, name) => {
    const names = targets.map(({ target }) => whole(target, config));
    const members = names.map((one) => [one, providers.get(splitName(one).provider)]);
    return rule(name, digest(["alias", name, members.sort()]));
  });
  const chosen = digest([
    ...[config.routingPolicies, config.taskTypes, [...shared], [...providers]],
    Object.entries(config.providers).map(([name, { defaultModel }]) => [name, defaultModel]),
  ]);
  return (asked) => {
    switch (asked.kind) {
      case "target": {
        const family = familyOf(asked.target);
        return rule(family, JSON.stringify([family, providers.get(asked.target.provider)]));
      }
      case "alias":
        return shared.get(asked.name) as FamilyRule;
      case "task":
        return rule(`task_type ${asked.name}`, JSON.stringify([asked.name, "task", chosen]));
      case "policy": {
        const { name, alias } = asked;
        const family = alias || `routing_policy ${name}`;
        return rule(family, JSON.stringify([name, "policy", alias, chosen]));
      }
    }
  };
}

/** A target with its model, also where the configuration leaves that to the provider's default. */
function whole(target: string, { providers }: CompleteConfig): string {
  const { provider, model } = splitName(target);
  return `${provider}/${model || (providers[provider]?.defaultModel ?? "")}`;
}

function mapOf<T, R>(
  record: Readonly<Record<string, T>>,
  make: (value: T, name: string) => R,
): Map<string, R> {
  return new Map(Object.entries(record).map(([name, value]) => [name, make(value, name)]));
}

function digest(value: unknown): string {
  const text = JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one));
  return hash("sha256", text, "base64url").slice(0, 22);
}
