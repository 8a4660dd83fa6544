/** `llmgateway requests`: requests that are over, or one with all that was tried for it. */
import { toJsonString } from "@bufbuild/protobuf";
import {
  GetRequestResponseSchema,
  ListRequestsResponseSchema,
  type RecordedAttempt,
  type RequestSummary,
} from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { dollars } from "./describe.ts";
import { type JsonOptions, when } from "./jobs.ts";
import { saidIn } from "./request-texts.ts";
import { type FilterOptions, filterOf } from "./spend-filter.ts";
import { fields, table } from "./table.ts";

export interface ListOptions extends FilterOptions {
  readonly outcome?: string;
  readonly failure?: string;
  readonly limit: number;
}

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;
const HEAD = ["REQUEST", "BEGUN", "KEY", "MODEL", "OUTCOME", "ATTEMPTS", "COST"];
const ATTEMPTS = ["ATTEMPT", "FOR", "MODEL", "STATE", "OUTCOME", "TIME", "INPUT", "OUTPUT", "COST"];

export function listRequests(options: ListOptions & JsonOptions): Promise<number> {
  const { outcome = "", failure = "", limit, json } = options;
  const request = { ...filterOf(options), outcome, failureKind: failure, pageSize: limit };
  return call(options, async (gateway, signal) => {
    const list = await gateway.listRequests(request, { signal });
    process.stdout.write(
      json
        ? `${toJsonString(ListRequestsResponseSchema, list, PRETTY)}\n`
        : table(HEAD, list.requests.map(rowOf)),
    );
  });
}

/** @param options `text` for what was said in it, too */
export function printRequest(
  id: string,
  { json, text = false, ...options }: JsonOptions & { readonly text?: boolean },
): Promise<number> {
  return call(options, async (gateway, signal) => {
    const found = await gateway.getRequest({ id, includeText: text }, { signal });
    if (json) {
      process.stdout.write(`${toJsonString(GetRequestResponseSchema, found, PRETTY)}\n`);
      return;
    }
    const head = found.request ? `${toldOf(found.request)}\n` : "";
    const attempts = table(ATTEMPTS, found.attempts.map(attemptOf));
    process.stdout.write(`${head}${attempts}${text ? saidIn(found.text) : ""}`);
  });
}

function rowOf(request: RequestSummary): string[] {
  const { requestId, startedAt, key, attempts } = request;
  return [
    requestId,
    when(startedAt),
    key,
    modelOf(request),
    outcomeOf(request),
    String(attempts),
    costOf(request.costUsd),
  ];
}

function toldOf(request: RequestSummary): string {
  return fields({
    request: request.requestId,
    call: request.callId,
    trace: request.traceId,
    begun: when(request.startedAt),
    ended: when(request.endedAt),
    tenant: request.tenant,
    key: request.key,
    tags: Object.entries(request.tags)
      .map(([name, value]) => `${name}=${value}`)
      .join(", "),
    model: modelOf(request),
    route: request.route,
    outcome: outcomeOf(request),
    cost: costOf(request.costUsd),
    saved: request.savedUsd > 0 ? dollars(request.savedUsd) : "",
  });
}

function attemptOf({ attempt, state }: RecordedAttempt): string[] {
  const { number, trigger = "", latencyMs, usage, actualUsd } = attempt ?? {};
  const time = state === "settled" ? `${latencyMs} ms` : "-";
  const tokens = [usage?.inputTokens, usage?.outputTokens].map((count) => String(count ?? "-"));
  return [
    String(number),
    trigger,
    attempt ? modelOf(attempt) : "",
    state,
    attempt ? outcomeOf(attempt) : "",
    time,
    ...tokens,
    costOf(actualUsd),
  ];
}

function modelOf({ provider, model }: { readonly provider: string; readonly model: string }): string {
  return provider ? `${provider}/${model}` : model || "-";
}

function outcomeOf({
  outcome,
  failureKind,
}: {
  readonly outcome: string;
  readonly failureKind: string;
}): string {
  return failureKind ? `${outcome}: ${failureKind}` : outcome;
}

function costOf(usd: number | undefined): string {
  return usd === undefined ? "unknown" : dollars(usd);
}
