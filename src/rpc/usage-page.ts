/**
 * Where the next page of sums begins, as a text that callers hand back and cannot read. The sums are made anew for each
 * page, of the same hours; what is spent meanwhile can move a row from one to another.
 */
import { createHash } from "node:crypto";
import type { GetUsageRequest } from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import { invalidRequest } from "../core/failure.ts";
import type { Period } from "../core/usage-store.ts";

export interface UsagePage extends Period {
  /** Of its rows, the first to be told. */
  readonly begin: number;
}

/**
 * @returns undefined for the first
 * @throws Failure `invalid_request` when the token is none of what is asked for
 */
export function pageOf(request: GetUsageRequest): UsagePage | undefined {
  const { pageToken } = request;
  if (pageToken === "") return undefined;
  const [begin, sinceMs, untilMs] = numbersOf(pageToken);
  const page = { begin: Number(begin), sinceMs: Number(sinceMs), untilMs: Number(untilMs) };
  if (Object.values(page).every(Number.isSafeInteger) && tokenOf(request, page) === pageToken) return page;
  const description = "is none that was given for this; leave it out to begin at the first page";
  throw invalidRequest([{ field: "page_token", description }]);
}

export function tokenOf(request: GetUsageRequest, { begin, sinceMs, untilMs }: UsagePage): string {
  return Buffer.from([begin, sinceMs, untilMs, markOf(request)].join(" ")).toString("base64url");
}

function numbersOf(token: string): number[] {
  return Buffer.from(token, "base64url").toString().split(" ").slice(0, 3).map(Number);
}

/** The same for whatever tells the same rows in the same order. */
function markOf({
  groupBy,
  orderBy,
  tenant,
  key,
  provider,
  model,
  route,
  operation,
  tags,
}: GetUsageRequest): string {
  const asked = JSON.stringify([groupBy, orderBy, tenant, key, provider, model, route, operation, tags]);
  return createHash("sha256").update(asked).digest("hex").slice(0, 16);
}
