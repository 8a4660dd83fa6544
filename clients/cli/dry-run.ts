/** `llmgateway chat --dry-run`: who would be asked, in which order, and about what it would cost. */
import { toJsonString } from "@bufbuild/protobuf";
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type DryRunResponse, DryRunResponseSchema } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Gateway } from "../typescript/src/node.ts";
import { JSON_OPTIONS } from "./call.ts";
import { dollars } from "./describe.ts";
import { fields, table } from "./table.ts";

/** Prints to standard output: nothing is spent that would be told apart. */
export async function dryRun(
  gateway: Gateway,
  request: ChatRequest,
  signal: AbortSignal,
  json: boolean,
): Promise<void> {
  const reply = await gateway.dryRun(request, { signal });
  process.stdout.write(
    json
      ? `${toJsonString(DryRunResponseSchema, reply, { ...JSON_OPTIONS, prettySpaces: 2 })}\n`
      : described(reply),
  );
}

function described({
  provider,
  model,
  route,
  estimatedUsd,
  inputTokens,
  dropped,
  priceVersion,
  template,
}: DryRunResponse): string {
  const summary = fields({
    target: `${provider}/${model}`,
    template: template && `${template.name}@${template.version}`,
    because: route?.reason,
    "fallback chain": route?.fallbackChain,
    "about to cost": dollars(estimatedUsd),
    "input tokens": `about ${inputTokens}`,
    "left out": dropped.join(", "),
    prices: priceVersion,
  });
  const candidates = route?.candidates ?? [];
  if (candidates.length === 0) return summary;
  const rows = candidates.map((one, index) => [
    one.eligible ? String(index + 1) : "-",
    `${one.provider}/${one.model}`,
    one.estimatedUsd === undefined ? "" : dollars(one.estimatedUsd),
    one.score === undefined ? "" : one.score.toFixed(3),
    one.reason,
  ]);
  return `${summary}\n${table(["order", "target", "about", "score", "why"], rows)}`;
}
