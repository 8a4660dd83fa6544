/** The models that the emulator lists as Anthropic, what it answers for others, and the traits by which models differ on the wire. */
import type { ModelInfo } from "@anthropic-ai/sdk/resources/models";
import { unknownModel } from "./errors.ts";

/** Their names for people, the day they came, and the dated name under which Anthropic answers for an alias. */
const MODELS: ReadonlyMap<string, readonly [displayName: string, created: string, snapshot?: string]> =
  new Map([
    ["claude-sonnet-5", ["Claude Sonnet 5", "2026-06-30"]],
    ["claude-opus-5", ["Claude Opus 5", "2026-07-24"]],
    ["claude-sonnet-4-6", ["Claude Sonnet 4.6", "2026-02-17"]],
    ["claude-sonnet-4-5", ["Claude Sonnet 4.5", "2025-09-29", "claude-sonnet-4-5-20250929"]],
    ["claude-haiku-4-5", ["Claude Haiku 4.5", "2025-10-15", "claude-haiku-4-5-20251001"]],
  ]);

/** Only what a caller goes by; the limits and capabilities of the real list are left out. */
type ListedModel = Pick<ModelInfo, "id" | "created_at" | "display_name" | "type">;

export function listModels(): object {
  const data = [...MODELS.keys()].map(describeModel);
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

/** Any name is a model unless it says that it is none. Throws Refusal 404 for those. */
export function describeModel(id: string): ListedModel {
  requireKnown(id);
  const [display_name, day] = MODELS.get(id) ?? [id, "2026-01-01"];
  return { type: "model", id, display_name, created_at: `${day}T00:00:00Z` };
}

/** Throws Refusal 404 for `claude-unknown…` and `no-such-…`. */
export function requireKnown(model: string): void {
  if (model.startsWith("claude-unknown") || model.startsWith("no-such-")) throw unknownModel(model);
}

/** The name in a reply: Anthropic answers with the dated snapshot that served an alias. */
export function servedName(model: string): string {
  return MODELS.get(model)?.[2] ?? model;
}

/** Models that take neither sampling parameters nor a budget to think with. */
export function decidesItself(model: string): boolean {
  return /claude-(sonnet-5|opus-(5|4-[789])|fable|mythos)/.test(model);
}

/** Models from before adaptive thinking. */
export function knowsBudgetsOnly(model: string): boolean {
  return /claude-(3|(haiku|sonnet|opus)-4)/.test(model) && !/-4-[6-9]/.test(model);
}
