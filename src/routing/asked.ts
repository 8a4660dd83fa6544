/**
 * Of whom a request wants an answer, as far as it alone says so: the router's rules for names, without its choice among
 * those who share one. Why a name is refused is the router's to say.
 */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Target } from "../core/call.ts";
import { Failure } from "../core/failure.ts";
import { LOW_COST } from "./chooser.ts";
import { type Directory, named } from "./named.ts";

export type Asked =
  | { readonly kind: "target"; readonly target: Target }
  | { readonly kind: "alias"; readonly name: string }
  | { readonly kind: "task"; readonly name: string }
  /** @param alias whose targets it chooses among; empty for its own */
  | { readonly kind: "policy"; readonly name: string; readonly alias: string };

/** What the configuration gives names to. */
export interface Names {
  readonly directory: Directory;
  isAlias(name: string): boolean;
  isPolicy(name: string): boolean;
  isTask(name: string): boolean;
  isChain(name: string): boolean;
}

/** @returns undefined for what the router refuses */
export function askedOf(request: ChatRequest, names: Names): Asked | undefined {
  const { model, modelVersion, routingPolicy, preferLowCost, taskType, fallbackChain } = request;
  if (fallbackChain && fallbackChain !== "none" && !names.isChain(fallbackChain)) return undefined;
  if (!model && modelVersion) return undefined;
  const alias = model && !modelVersion && names.isAlias(model) ? model : "";
  if (alias || !model) {
    const name = routingPolicy || (preferLowCost ? LOW_COST : "");
    if (name) return names.isPolicy(name) ? { kind: "policy", name, alias } : undefined;
    if (alias) return { kind: "alias", name: alias };
    if (taskType) return names.isTask(taskType) ? { kind: "task", name: taskType } : undefined;
  } else if (routingPolicy) return undefined;
  const usual = model || names.directory.defaultModels.chat;
  if (!model && names.isAlias(usual)) return { kind: "alias", name: usual };
  return usual ? targetOf(usual, modelVersion, names) : undefined;
}

function targetOf(model: string, modelVersion: string, { directory }: Names): Asked | undefined {
  try {
    return { kind: "target", target: named(model, modelVersion, "chat", directory).target };
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}
