/** Which requests an experiment is about, and what of them always has the same variant. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Parameters } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { type Call, isBatch, WARMING } from "../core/call.ts";
import { sessionOf } from "../core/session.ts";

export interface EntryRule {
  readonly name: string;
  readonly models: ReadonlySet<string>;
  readonly taskTypes: ReadonlySet<string>;
  readonly all: boolean;
  /** `session_id`, `principal`, `tenant`, `none`, or `tag:NAME`. */
  readonly stickyBy: string;
}

/** The same, as it may be written down. */
interface Entry {
  readonly models: readonly string[];
  readonly taskTypes: readonly string[];
  readonly all: boolean;
  readonly stickyBy: string;
}

export function entryOf(name: string, { models, taskTypes, all, stickyBy }: Entry): EntryRule {
  return { name, models: new Set(models), taskTypes: new Set(taskTypes), all, stickyBy };
}

/** Where a variant or a shadow sends a request. */
export interface Way {
  readonly name: string;
  /** As requests name it. */
  readonly model: string;
  readonly parameters: Parameters | undefined;
}

/** Of what fills the cache, and of those who want to hear the very models that they name. */
const APART = new Set([WARMING, "Compare"]);

/** The request, when it is one that can be part of an experiment; what goes by a batch is not. */
export function entrantOf(call: Call): ChatRequest | undefined {
  const { request, context } = call;
  if (request.$typeName !== "llmgateway.v1.ChatRequest" || request.experiment === "none") return undefined;
  return APART.has(context.method) || isBatch(call) ? undefined : request;
}

export function isEntrant(request: ChatRequest, rule: EntryRule): boolean {
  const { experiment, model, modelVersion, taskType, routingPolicy, preferLowCost } = request;
  if (experiment) return experiment === rule.name;
  if (rule.all) return true;
  if (model) return rule.models.has(modelVersion ? `${model}/${modelVersion}` : model);
  if (taskType && !routingPolicy && !preferLowCost) return rule.taskTypes.has(taskType);
  const chooses = !taskType && !routingPolicy && !preferLowCost;
  return chooses && rule.models.size === 0 && rule.taskTypes.size === 0;
}

/** Unlike any other tenant's; undefined for a call that has none, and is given a variant by lot. */
export function stickyKeyOf(call: Call, { stickyBy }: EntryRule): string | undefined {
  const { tenant, principal } = call.context;
  if (stickyBy === "session_id") return sessionOf(call) || undefined;
  if (stickyBy === "tenant") return tenant;
  if (stickyBy === "principal") return `${tenant}\n${principal}`;
  if (!stickyBy.startsWith("tag:")) return undefined;
  const value = call.request.metadata[stickyBy.slice(4)];
  return value === undefined ? undefined : `${tenant}\n${value}`;
}

/** The request as it goes that way: what would choose otherwise is left out. */
export function sentBy(request: ChatRequest, { model, parameters }: Way): ChatRequest {
  return {
    ...request,
    model,
    modelVersion: "",
    taskType: "",
    routingPolicy: "",
    preferLowCost: false,
    ...(parameters ? { parameters: over(request.parameters, parameters) } : {}),
  };
}

function over(asked: Parameters | undefined, given: Parameters): Parameters {
  if (!asked) return { ...given };
  const said = Object.entries(given).filter(
    ([, value]) => value !== undefined && value !== "" && !(Array.isArray(value) && value.length === 0),
  );
  return { ...asked, ...Object.fromEntries(said) };
}
