/**
 * Failures as OpenAPI has them: a reusable response for each HTTP status, with the kinds that have it. Which there
 * are is read off the gateway's own table, what they mean off docs/errors.md.
 */
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { FAILURES, Failure, type FailureDetails, type FailureKind } from "../../../src/core/failure.ts";
import { toErrorJson } from "../../../src/rpc/errors.ts";

export type Protocol = "rest" | "connect";

type Refs = Readonly<Record<string, { readonly $ref: string }>>;

export const KINDS = Object.keys(FAILURES) as FailureKind[];

/** connect-node answers these by itself, with a status and no body. */
const NOT_OVER_CONNECT: readonly FailureKind[] = ["method_not_allowed", "unsupported_media_type"];

/** A failure for each status, as it is answered. */
const EXAMPLES: Partial<Record<FailureKind, { message: string } & FailureDetails>> = {
  invalid_request: {
    message: "messages: must contain at least 1 item(s), or name a template",
    violations: [{ field: "messages", description: "must contain at least 1 item(s), or name a template" }],
  },
  unauthenticated: { message: "the API key is not known" },
  permission_denied: { message: "this takes an API key with the scope admin" },
  unknown_model: {
    message: 'model: "gpt-5o" is neither a provider (openai, mock) nor a model that the price catalog knows',
  },
  method_not_allowed: { message: "/v1/gateway/chat takes POST, not PUT" },
  payload_too_large: { message: "the body is larger than 33554432 bytes" },
  unsupported_media_type: { message: 'send the header "content-type: application/json", not text/plain' },
  idempotency_conflict: { message: "idempotency_key: something else was submitted under this key before" },
  rate_limited: { message: "more than 600 requests a minute; try again in 12 s", retryAfterMs: 12_000 },
  cancelled: { message: "the caller left" },
  internal: { message: "the gateway failed; its log has the details under this request id" },
  provider_overloaded: { message: "the provider is overloaded", retryAfterMs: 2_000 },
  deadline_exceeded: { message: "not finished within the 2000 ms allowed" },
};

/** @param page the text of docs/errors.md */
export function failureResponses(page: string): Readonly<Record<string, object>> {
  const words = wordsOf(page);
  const byStatus = Map.groupBy(KINDS, (kind) => FAILURES[kind].http);
  const statuses = [...byStatus].sort(([a], [b]) => a - b);
  return Object.fromEntries(
    statuses.map(([status, kinds]) => {
      const also = KINDS.filter((kind) => !kinds.includes(kind) && statusOf(kind, "connect") === status);
      const lines = [...kinds, ...also].map((kind) => {
        const remarks = [
          ...(FAILURES[kind].retryable ? ["retryable"] : []),
          ...(also.includes(kind) ? ["over Connect"] : []),
        ];
        return `- \`${kind}\`${remarks.map((remark) => ` (${remark})`).join("")}: ${words(kind)}`;
      });
      return [nameOf(status), responseOf(status, kinds, lines.join("\n"))];
    }),
  );
}

/** The responses of an operation in which these failures can occur, by status. */
export function responsesTo(kinds: readonly FailureKind[], protocol: Protocol): Refs {
  const statuses = new Set(
    kinds.map((kind) => statusOf(kind, protocol)).filter((status) => status !== undefined),
  );
  return Object.fromEntries(
    [...statuses]
      .sort((a, b) => a - b)
      .map((status) => [status, { $ref: `#/components/responses/${nameOf(status)}` }]),
  );
}

function responseOf(status: number, kinds: readonly FailureKind[], description: string): object {
  const kind = kinds.find((candidate) => EXAMPLES[candidate]);
  const example = kind && EXAMPLES[kind];
  if (!example) throw new Error(`add an example of a failure with the status ${status}`);
  const headers = [
    "x-request-id",
    "traceparent",
    ...(kinds.some((kind) => FAILURES[kind].retryable) ? ["retry-after"] : []),
    ...(kinds.includes("method_not_allowed") ? ["allow"] : []),
    ...(kinds.includes("rate_limited") ? RATE_LIMIT_HEADERS : []),
  ];
  return {
    description,
    headers: headerRefs(headers),
    content: {
      "application/json": {
        schema: { $ref: "#/components/schemas/Error" },
        example: toErrorJson(new Failure(kind, example.message, example)),
      },
    },
  };
}

export const RATE_LIMIT_HEADERS = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];

export function headerRefs(names: readonly string[]): Refs {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** Undefined for what this protocol answers without a failure of ours. */
function statusOf(kind: FailureKind, protocol: Protocol): number | undefined {
  if (protocol === "rest") return FAILURES[kind].http;
  return NOT_OVER_CONNECT.includes(kind) ? undefined : codeToHttpStatus(FAILURES[kind].code);
}

function nameOf(status: number): string {
  return `Error${status}`;
}

/** What happened, and what the caller does. */
function wordsOf(page: string): (kind: FailureKind) => string {
  const rows = page.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  return (kind) => {
    const [, , happened = "", , , , , remedy = ""] = rows.find(([, first]) => first === `\`${kind}\``) ?? [];
    if (!happened) throw new Error(`docs/errors.md does not say what ${kind} is`);
    return [happened, remedy].filter((text) => text !== "–").join(" ");
  };
}
