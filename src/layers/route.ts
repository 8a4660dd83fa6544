/** Decides who is to be asked, in which order, and says why. Whether they serve is for others to see. */
import type { Candidate } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import {
  type Call,
  isBatch,
  type Layer,
  operationOf,
  type PlannedCall,
  type Sent,
  type Target,
} from "../core/call.ts";
import { Failure } from "../core/failure.ts";
import { sessionOf } from "../core/session.ts";
import { isSame, nameOf } from "../core/target.ts";
import { CONTEXT_FIELD } from "../cost/capabilities.ts";
import { drawn, settled, type Weighted } from "../routing/alias.ts";
import { type ChooserMeans, choose, LOW_COST } from "../routing/chooser.ts";
import { candidateOf, isTooLong, objectionTo } from "../routing/eligible.ts";
import { DEFAULTS, type Directory, named, refused } from "../routing/named.ts";

/** What the configuration names. */
export interface Routes {
  /** Undefined when no alias has this name. */
  alias(name: string): AliasRule | undefined;
  /** Undefined when no chain has this name. */
  chain(name: string): readonly Target[] | undefined;
  readonly chains: readonly string[];
  /** As a request could name it; undefined for a task that nothing is known of. */
  task(type: string): string | undefined;
  readonly tasks: readonly string[];
}

export interface AliasRule {
  readonly targets: Readonly<Record<"chat" | "embeddings", readonly Weighted[]>>;
  /** Whether a session stays where it is. */
  readonly sticky: boolean;
}

export interface RouteMeans extends ChooserMeans {
  readonly directory: Directory;
  readonly routes: Routes;
  /** Draws from 0 up to 1. */
  readonly random: () => number;
  /** Told of a call that goes where it costs less than it would have without being chosen. */
  onCheaper(target: Target): void;
}

interface Decision {
  readonly targets: readonly Target[];
  readonly policy: string;
  readonly reason: string;
  readonly name: string;
  readonly candidates: readonly Candidate[];
}

export function route(means: RouteMeans): Layer<Call, PlannedCall> {
  return (next) => async (call) => {
    const sent = call.parking?.parked?.sent;
    if (sent) return next(resumed(call, sent, means));
    const decision = decide(call, means);
    const { policy, reason, name } = decision;
    const chain = chainOf(call, means);
    const behind = chain ? followers(call, decision, chain.targets, means) : NONE;
    const targets = [...decision.targets, ...behind.targets];
    if (!isSome(targets)) throw nobody(call, decision, means);
    call.tally.chosen = decision.targets;
    call.tally.route = {
      $typeName: "llmgateway.v1.Route",
      policy,
      reason,
      name,
      fallbackChain: behind.candidates.length > 0 ? (chain?.name ?? "") : "",
      candidates: candidatesOf(targets[0], decision, behind),
    };
    return next({ ...call, targets });
  };
}

/** It was decided before, and nobody else has the answer: names may mean another by now. */
function resumed(call: Call, { target, route }: Sent, { directory }: RouteMeans): PlannedCall {
  const { provider } = target;
  if (!directory.provider(provider))
    throw new Failure("provider_unavailable", `it was sent to ${provider}, which is not configured any more`);
  if (route) {
    const nothing = { fallbackChain: "", candidates: [] };
    call.tally.route = { $typeName: "llmgateway.v1.Route", ...nothing, ...route };
  }
  return { ...call, targets: [target] };
}

function isSome(targets: Target[]): targets is [Target, ...Target[]] {
  return targets.length > 0;
}

const NONE: Pick<Decision, "targets" | "candidates"> = { targets: [], candidates: [] };

function decide(call: Call, means: RouteMeans): Decision {
  const { request } = call;
  const { model, modelVersion } = request;
  const operation = operationOf(call);
  if (modelVersion && !model)
    throw refused("invalid_request", "model", "is missing beside model_version: name the provider");
  const alias = model && !modelVersion ? means.routes.alias(model) : undefined;
  if (request.$typeName === "llmgateway.v1.ChatRequest") {
    const { routingPolicy, preferLowCost, taskType } = request;
    const policy = routingPolicy || (preferLowCost ? LOW_COST : "");
    if (routingPolicy && model && !alias) {
      const text = "chooses where model is empty or an alias; leave model or routing_policy out";
      throw refused("invalid_request", "routing_policy", text);
    }
    if (policy && (alias || !model)) return chosen(call, policy, alias && model, means);
    if (taskType && !model) return forTask(call, taskType, means);
  }
  if (alias) return shared(call, model, alias, means);
  if (model) return single(named(model, modelVersion, operation, means.directory));
  return usual(call, "the request names no model", means);
}

function single({ target, policy, reason }: { target: Target; policy: string; reason: string }): Decision {
  return { targets: [target], policy, reason, name: "", candidates: [] };
}

function usual(call: Call, why: string, means: RouteMeans): Decision {
  const { directory } = means;
  const operation = operationOf(call);
  const name = directory.defaultModels[operation];
  if (!name) {
    const { field, example } = DEFAULTS[operation];
    const text = `is missing, and no ${field} is configured; for example "${example}"`;
    throw refused("invalid_request", "model", text);
  }
  const alias = means.routes.alias(name);
  const found = alias ? shared(call, name, alias, means) : single(named(name, "", operation, directory));
  return { ...found, policy: "default", reason: `${why}; the default is ${name}` };
}

function forTask(call: Call, task: string, means: RouteMeans): Decision {
  const { routes, directory } = means;
  const name = routes.task(task);
  if (name === undefined) {
    const text = `"${task}" is not known; there are ${routes.tasks.join(", ")}`;
    throw refused("invalid_request", "task_type", text);
  }
  const alias = routes.alias(name);
  if (alias) return { ...shared(call, name, alias, means), policy: "task_type", name: task };
  const { target } = named(name, "", operationOf(call), directory);
  const off = means.off(target.provider);
  if (off) return usual(call, `${target.provider}, which is for ${task}, is off`, means);
  return { ...single({ target, policy: "task_type", reason: `${name} is for ${task}` }), name: task };
}

function shared(call: Call, name: string, alias: AliasRule, means: RouteMeans): Decision {
  const able: Weighted[] = [];
  const excluded: Candidate[] = [];
  for (const one of alias.targets[operationOf(call)]) {
    const reason = objectionTo(one.target, call, means);
    if (reason === undefined) able.push(one);
    else excluded.push(candidateOf(one.target, reason, { eligible: false }));
  }
  const session = alias.sticky ? sessionOf(call) : "";
  const targets = session ? settled(able, session) : drawn(able, means.random);
  const how = session ? "its session stays there" : "it is drawn by weight";
  const candidates = targets.map((target, index) => candidateOf(target, index === 0 ? how : BEHIND));
  return {
    targets,
    policy: "alias",
    reason: `of the targets of ${name}, ${how}`,
    name,
    candidates: candidates.concat(excluded),
  };
}

const BEHIND = "asked when those before it fail";

function chosen(call: Call, policy: string, aliasName: string | undefined, means: RouteMeans): Decision {
  const alias = aliasName ? means.routes.alias(aliasName) : undefined;
  const among = alias?.targets[operationOf(call)].map(({ target }) => target);
  const { targets, candidates } = choose(call, policy, among, means);
  const [first] = targets;
  if (first && isCheaper(call, candidates[0]?.estimatedPicoUsd, among?.[0], means)) means.onCheaper(first);
  const of = aliasName ? ` among the targets of ${aliasName}` : "";
  return {
    targets,
    policy: policy === LOW_COST ? "low_cost" : "routing_policy",
    reason: `the policy ${policy} has it first${of}`,
    name: policy,
    candidates,
  };
}

/** Whether it costs less than what would have been taken otherwise: the alias's first target, or the default. */
function isCheaper(
  call: Call,
  cost: bigint | undefined,
  first: Target | undefined,
  means: RouteMeans,
): boolean {
  const { directory } = means;
  const name = directory.defaultModels.chat;
  const other =
    first ?? (name && !means.routes.alias(name) ? named(name, "", "chat", directory).target : undefined);
  if (!other || cost === undefined) return false;
  const otherwise = means.cost(call, other);
  return otherwise !== undefined && cost < otherwise;
}

/** The fallback chain that may serve a call, whether there is one of that name or not; undefined where none may. */
export function chainNameOf(call: Call): string | undefined {
  // Vectors of different models do not compare, and a batch is priced where it was sent.
  if (call.request.$typeName !== "llmgateway.v1.ChatRequest" || isBatch(call)) return undefined;
  const name = call.request.fallbackChain || "default";
  return name === "none" ? undefined : name;
}

function chainOf(
  call: Call,
  { routes }: RouteMeans,
): { readonly name: string; readonly targets: readonly Target[] } | undefined {
  const name = chainNameOf(call);
  if (name === undefined) return undefined;
  const targets = routes.chain(name);
  if (targets) return { name, targets };
  // The usual one need not be there.
  if (!("fallbackChain" in call.request && call.request.fallbackChain)) return undefined;
  const there = routes.chains.length > 0 ? `there are ${routes.chains.join(", ")}` : "none is configured";
  throw refused(
    "invalid_request",
    "fallback_chain",
    `there is no chain "${name}"; ${there}; "none" wants nobody`,
  );
}

function followers(
  call: Call,
  { targets }: Decision,
  chain: readonly Target[],
  means: RouteMeans,
): Pick<Decision, "targets" | "candidates"> {
  const able: Target[] = [];
  const candidates: Candidate[] = [];
  for (const target of chain) {
    if (targets.some((one) => isSame(one, target))) continue;
    const reason = objectionTo(target, call, means);
    if (reason === undefined) {
      able.push(target);
      candidates.push(candidateOf(target, "of the fallback chain"));
    } else candidates.push(candidateOf(target, reason, { eligible: false }));
  }
  return { targets: able, candidates };
}

function candidatesOf(first: Target, decision: Decision, behind: Pick<Decision, "candidates">): Candidate[] {
  const own = decision.candidates;
  if (own.length < 2 && behind.candidates.length === 0) return [];
  const chosen = own.length > 0 ? own : [candidateOf(first, decision.reason)];
  const able: Candidate[] = [];
  const unable: Candidate[] = [];
  for (const all of [chosen, behind.candidates])
    for (const one of all) (one.eligible ? able : unable).push(one);
  return able.concat(unable);
}

/** The operator's fault where all are off, and the conversation's where it is too long for all. */
function nobody(call: Call, { name, candidates }: Decision, means: RouteMeans): Failure {
  const why = candidates.map((one) => `${nameOf(one)}: ${one.reason}`).join("; ");
  const description = `none of the targets of "${name}" can serve this: ${why || `it has none for ${operationOf(call)}`}`;
  const all = (test: (target: Target) => boolean) => candidates.length > 0 && candidates.every(test);
  if (all(({ provider }) => means.off(provider) !== ""))
    return new Failure("provider_unavailable", `model: ${description}`);
  const kind = all((target) => isTooLong(target, call, means)) ? "context_too_long" : "invalid_request";
  const field = kind === "context_too_long" ? CONTEXT_FIELD : "model";
  return refused(kind, field, description);
}
