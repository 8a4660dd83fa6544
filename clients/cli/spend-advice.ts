/** `llmgateway usage anomalies` and `usage tips`: what was out of the usual, and how to spend less. */
import { toJsonString } from "@bufbuild/protobuf";
import {
  type Anomaly,
  type GetUsageResponse,
  GetUsageResponseSchema,
  type Tip,
} from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { type JsonOptions, when } from "./jobs.ts";
import { type FilterOptions, filterOf } from "./spend-filter.ts";
import { table } from "./table.ts";
import { money } from "./usage.ts";

type AdviceOptions = JsonOptions & FilterOptions;

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;

export function printAnomalies(options: AdviceOptions): Promise<number> {
  return print(options, { tips: false }, ({ anomalies }) =>
    anomalies.length === 0
      ? "nothing was out of the usual\n"
      : table(["SINCE", "UNTIL", "KIND", "BEYOND", "WHAT"], anomalies.map(cellsOf)),
  );
}

export function printTips(options: AdviceOptions): Promise<number> {
  return print(options, { tips: true }, ({ tips }) =>
    tips.length === 0 ? "nothing was spent on which there is a tip\n" : tips.map(paragraphOf).join("\n"),
  );
}

function print(
  { since, until, where, json, ...options }: AdviceOptions,
  { tips }: { readonly tips: boolean },
  textOf: (usage: GetUsageResponse) => string,
): Promise<number> {
  const request = { ...filterOf({ since, until, where } as FilterOptions), tips, pageSize: 1 };
  return call(options, async (gateway, signal) => {
    const usage = await gateway.getUsage(request, { signal });
    process.stdout.write(json ? `${toJsonString(GetUsageResponseSchema, usage, PRETTY)}\n` : textOf(usage));
  });
}

function cellsOf({ since, until, kind, usd, text }: Anomaly): string[] {
  return [when(since), when(until), kind, usd === undefined ? "-" : money(usd), text];
}

function paragraphOf({ kind, key, savesUsd, text, advice }: Tip): string {
  const head = [savesUsd === undefined ? kind : `${kind}: ${money(savesUsd)}`, key && `key ${key}`];
  return `${head.filter(Boolean).join(", ")}\n  ${text}.\n  ${advice}\n`;
}
