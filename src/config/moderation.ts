/** What holds of moderation hooks when nothing is said. */
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Moderation,
  type ModerationHook,
  ModerationSchema,
} from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { Complete } from "./complete.ts";

export type CompleteHook = Complete<ModerationHook>;

/** Kinds that ask somebody else. */
export const ASKING: readonly string[] = ["provider_moderation", "webhook"];

export function completeModeration(given: Moderation = create(ModerationSchema)): Complete<Moderation> {
  return { ...given, hooks: given.hooks.map(completeHook) };
}

function completeHook(given: ModerationHook): CompleteHook {
  const { kind } = given;
  const usual = ASKING.includes(kind) ? ["request", "reply"] : ["request", "stream", "reply"];
  return {
    ...given,
    on: given.on.length > 0 ? given.on : usual,
    action: given.action || (kind === "pii" || kind === "secrets" ? "redact" : "refuse"),
    fail: given.fail || "closed",
    timeout: given.timeout ?? durationFromMs(2_000),
    restore: given.restore ?? false,
    provider: given.provider || (kind === "provider_moderation" ? "openai" : ""),
    model: given.model || (kind === "provider_moderation" ? "omni-moderation-latest" : ""),
    windowChars: given.windowChars ?? 500,
    reasoning: given.reasoning ?? true,
    tools: given.tools ?? true,
  };
}
