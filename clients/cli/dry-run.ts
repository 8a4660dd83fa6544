/** `llmgateway chat --dry-run`: who would be asked, in which order, what it would cost, and what would refuse it. */
import { toJsonString } from "@bufbuild/protobuf";
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import {
  type BudgetHeadroom,
  type DryRunResponse,
  DryRunResponseSchema,
} from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Route } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
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
      : [summary(reply), candidates(reply.route), budgets(reply)].filter(Boolean).join("\n"),
  );
}

function summary(reply: DryRunResponse): string {
  const { provider, model, route, estimatedUsd, minUsd, maxUsd, maxTokens, wouldBeRefused, template } = reply;
  const { inputTokens, expectedOutputTokens, maxOutputTokens } = reply;
  const isKnown = minUsd !== undefined && maxUsd !== undefined;
  const atMost = maxOutputTokens === undefined ? "" : `, at most ${maxOutputTokens}`;
  return fields({
    target: `${provider}/${model}`,
    template: template && `${template.name}@${template.version}`,
    because: route?.reason,
    "fallback chain": route?.fallbackChain,
    refused: wouldBeRefused && `${wouldBeRefused.kind}: ${wouldBeRefused.message}`,
    cache: reply.cache && [reply.cache.outcome, reply.cache.reason].filter(Boolean).join(": "),
    "about to cost": dollars(estimatedUsd),
    between: isKnown ? `${dollars(minUsd)} and ${dollars(maxUsd)}` : "",
    "input tokens": reply.inputTokensProvenance === "counted" ? String(inputTokens) : `about ${inputTokens}`,
    "output tokens": `about ${expectedOutputTokens}${atMost}`,
    max_tokens: maxTokens === undefined ? "" : `lowered to ${maxTokens}, for want of money`,
    "left out": reply.dropped.join(", "),
    prices: reply.priceVersion,
  });
}

function candidates(route: Route | undefined): string {
  const rows = (route?.candidates ?? []).map((one, index) => [
    one.eligible ? String(index + 1) : "-",
    `${one.provider}/${one.model}`,
    one.estimatedUsd === undefined ? "" : dollars(one.estimatedUsd),
    one.score === undefined ? "" : one.score.toFixed(3),
    one.reason,
  ]);
  return rows.length > 0 ? table(["order", "target", "about", "score", "why"], rows) : "";
}

function budgets({ budgets, budgetsUnavailable }: DryRunResponse): string {
  const missing = budgetsUnavailable ? "some budgets cannot be read at this time\n" : "";
  if (budgets.length === 0) return missing;
  return missing + table(["budget", "per", "limit", "spent", "reserved", "left", "mode"], budgets.map(rowOf));
}

function rowOf({ name, scope, period, mode, ...amounts }: BudgetHeadroom): string[] {
  const { limitUsd, spentUsd, reservedUsd, leftUsd } = amounts;
  return [
    scope ? `${name} (${scope})` : name,
    period,
    dollars(limitUsd),
    dollars(spentUsd),
    dollars(reservedUsd),
    dollars(leftUsd),
    mode,
  ];
}
