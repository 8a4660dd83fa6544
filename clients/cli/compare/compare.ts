/** `llmgateway chat --compare`: the answers of several models, beside each other or as they finish, each with its cost. */
import { create, toJsonString } from "@bufbuild/protobuf";
import type { ChatRequest, StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import {
  type CompareEvent,
  CompareEventSchema,
  CompareRequestSchema,
  type CompareTotals,
} from "../../../gen/ts/llmgateway/v1/compare_pb.ts";
import type { Receipt } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type CallOptions, call, JSON_OPTIONS } from "../call.ts";
import { describeReceipt, dollars } from "../describe.ts";
import { print, textOf } from "../text.ts";
import { Columns, widthOf } from "./columns.ts";

export interface CompareOptions extends CallOptions {
  readonly models: readonly string[];
  /** Over all of them. */
  readonly maxCost?: number | undefined;
  readonly json: boolean;
}

/** Gives the exit status, which is 1 when a model failed. */
export async function compare(request: ChatRequest, options: CompareOptions): Promise<number> {
  const { models, maxCost, json } = options;
  const message = create(CompareRequestSchema, {
    request,
    models: [...models],
    ...(maxCost === undefined ? {} : { maxCostUsd: maxCost }),
  });
  let failed = 0;
  const status = await call(options, async (gateway, signal) => {
    const shown = json ? undefined : show(models, process.stdout.columns, print);
    for await (const event of gateway.compare(message, { signal })) {
      failed = event.totals?.failed ?? failed;
      if (shown) shown(event);
      else print(`${toJsonString(CompareEventSchema, event, JSON_OPTIONS)}\n`);
    }
  });
  return status || (failed > 0 ? 1 : 0);
}

/**
 * Shows one event after the other.
 *
 * @param terminal how wide it is; undefined where there is none
 */
export function show(
  models: readonly string[],
  terminal: number | undefined,
  write: (text: string) => void,
): (event: CompareEvent) => void {
  const startedAtMs = performance.now();
  const seconds = () => `${((performance.now() - startedAtMs) / 1_000).toFixed(2)} s`;
  const width = widthOf(models.length, terminal);
  const columns = width === undefined ? undefined : new Columns(models, width, write);
  const texts = models.map(() => "");
  return ({ index, model, event, totals }) => {
    if (totals) write(`${describeTotals(totals, seconds())}\n`);
    if (index === undefined || !event) return;
    const text = event.error ? describeFailure(event, texts[index] ?? "") : textOf(event);
    texts[index] += text;
    columns?.say(index, text);
    if (!event.done && !event.error) return;
    const receipt = event.receipt ?? event.error?.receipt;
    if (columns) columns.end(index, [...briefly(receipt), seconds()].join(" · "));
    else {
      const cost = receipt ? [describeReceipt(receipt)] : [];
      write(`── ${model}\n${texts[index]}\n${[...cost, seconds()].join(" · ")}\n\n`);
    }
  };
}

function describeFailure({ error }: StreamResponse, before: string): string {
  return `${before ? "\n" : ""}error: ${error?.message} (${error?.kind})`;
}

/** What it cost, where somebody was called. */
function briefly(receipt: Receipt | undefined): string[] {
  if (!receipt) return [];
  if (receipt.cached) return [`cached (${receipt.cacheKind})`];
  return [dollars(receipt.cost?.actualUsd), `${receipt.cost?.outputTokens ?? 0} tokens`];
}

function describeTotals({ served, failed, totalTokens, costUsd }: CompareTotals, seconds: string): string {
  return `${served} answered, ${failed} failed · ${totalTokens} tokens · ${dollars(costUsd)} · ${seconds}`;
}
