/** The models that the emulator lists, what it answers for others, and the few traits by which models differ on the wire. */
import type { Model } from "openai/resources/models";
import { unknownModel } from "./errors.ts";

/** Created at, and the dated name under which OpenAI answers for an alias; null where it echoes the name. */
const MODELS: ReadonlyMap<string, readonly [createdSeconds: number, snapshot: string | null]> = new Map([
  ["gpt-3.5-turbo", [1_677_610_602, "gpt-3.5-turbo-0125"]],
  ["gpt-4.1", [1_744_316_542, "gpt-4.1-2025-04-14"]],
  ["gpt-4.1-mini", [1_744_318_173, "gpt-4.1-mini-2025-04-14"]],
  ["gpt-4.1-nano", [1_744_321_707, "gpt-4.1-nano-2025-04-14"]],
  ["gpt-4o", [1_715_367_049, "gpt-4o-2024-08-06"]],
  ["gpt-4o-mini", [1_721_172_741, "gpt-4o-mini-2024-07-18"]],
  ["gpt-5", [1_754_425_777, "gpt-5-2025-08-07"]],
  ["gpt-5-mini", [1_754_425_928, "gpt-5-mini-2025-08-07"]],
  ["gpt-5-nano", [1_754_426_384, "gpt-5-nano-2025-08-07"]],
  ["o3-mini", [1_737_146_383, "o3-mini-2025-01-31"]],
  ["text-embedding-3-large", [1_705_953_180, null]],
  ["text-embedding-3-small", [1_705_948_997, null]],
  ["text-embedding-ada-002", [1_671_217_299, null]],
]);

export function listModels(): { object: "list"; data: Model[] } {
  return { object: "list", data: [...MODELS.keys()].map(describeModel) };
}

/** Any name is a model unless it says that it is none. Throws Refusal 404 for those. */
export function describeModel(id: string): Model {
  requireKnown(id);
  return { id, object: "model", created: MODELS.get(id)?.[0] ?? 1_750_000_000, owned_by: "system" };
}

/** Throws Refusal 404 for `gpt-unknown…` and `no-such-…`. */
export function requireKnown(model: string): void {
  if (model.startsWith("gpt-unknown") || model.startsWith("no-such-")) throw unknownModel(model);
}

/** The name in a reply: OpenAI answers with the dated snapshot that served an alias. */
export function servedName(model: string): string {
  return MODELS.get(model)?.[1] ?? model;
}

/** Models that think: they refuse `max_tokens` and have no `system_fingerprint` and no `logprobs`. */
export function isReasoning(model: string): boolean {
  return /^(gpt-5|o[1-9])/.test(model);
}

/** Models whose usage reports what was written to the prompt cache. */
export function reportsCacheWrites(model: string): boolean {
  return model.startsWith("gpt-5.6");
}
