/**
 * Every way in which a call can fail, as one table. Providers classify into it,
 * layers act by it, and each protocol's front translates it last.
 */
import { Code } from "@connectrpc/connect";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { DatabaseFault } from "./database-fault.ts";
import { redact } from "./redact.ts";

export type FailureKind =
  | "invalid_request"
  | "unauthenticated"
  | "permission_denied"
  | "not_found"
  | "unknown_model"
  | "unpriced_model"
  | "not_cached"
  | "method_not_allowed"
  | "unsupported_media_type"
  | "payload_too_large"
  | "idempotency_conflict"
  | "outcome_unknown"
  | "idempotency_unavailable"
  | "job_queue_full"
  | "job_not_ended"
  | "job_cancelled"
  | "job_expired"
  | "job_lost"
  | "result_expired"
  | "jobs_unavailable"
  | "database_unavailable"
  | "rate_limited"
  | "budget_exceeded"
  | "budget_unavailable"
  | "deadline_exceeded"
  | "cancelled"
  | "shutting_down"
  | "provider_bad_request"
  | "context_too_long"
  | "content_filtered"
  | "content_refused"
  | "moderation_unavailable"
  | "provider_auth"
  | "provider_permission"
  | "model_not_found"
  | "provider_rate_limited"
  | "quota_exhausted"
  | "provider_overloaded"
  | "provider_error"
  | "provider_timeout"
  | "unreachable"
  | "cut"
  | "malformed_reply"
  | "provider_unavailable"
  | "circuit_open"
  | "concurrency_limited"
  | "stream_too_slow"
  | "hedge_lost"
  | "slow_reader"
  | "shared_answer_cut"
  | "internal";

export interface FailureTraits {
  /** The status on Connect, gRPC and gRPC-Web. */
  readonly code: Code;
  /** The status on plain HTTP. */
  readonly http: number;
  /** Whether the same call may succeed when it is made again. */
  readonly retryable: boolean;
  /** Whether another target may serve what this one did not. */
  readonly elsewhere: boolean;
  /** Who must act. */
  readonly faultOf: "caller" | "operator" | "provider" | "nobody";
  /** Whether the provider may have charged for the attempt all the same. */
  readonly maybePaid: boolean;
}

const FREE = { maybePaid: false } as const;
const PAID = { maybePaid: true } as const;
const CALLER = { ...FREE, retryable: false, elsewhere: false, faultOf: "caller" } as const;
const OPERATOR = { ...FREE, retryable: false, elsewhere: false, faultOf: "operator" } as const;
const PROVIDER = { ...FREE, retryable: true, elsewhere: true, faultOf: "provider" } as const;
const NOBODY = { ...PAID, retryable: false, elsewhere: false, faultOf: "nobody" } as const;
const ELSEWHERE = { elsewhere: true } as const;

/** What each kind means to those who handle it; docs/errors.md says it to people. */
export const FAILURES: Readonly<Record<FailureKind, FailureTraits>> = {
  invalid_request: { ...CALLER, code: Code.InvalidArgument, http: 400 },
  unauthenticated: { ...CALLER, code: Code.Unauthenticated, http: 401 },
  permission_denied: { ...CALLER, code: Code.PermissionDenied, http: 403 },
  not_found: { ...CALLER, code: Code.NotFound, http: 404 },
  unknown_model: { ...CALLER, code: Code.NotFound, http: 404 },
  unpriced_model: { ...CALLER, ...ELSEWHERE, code: Code.FailedPrecondition, http: 400 },
  not_cached: { ...CALLER, code: Code.NotFound, http: 404 },
  method_not_allowed: { ...CALLER, code: Code.Unimplemented, http: 405 },
  unsupported_media_type: { ...CALLER, code: Code.InvalidArgument, http: 415 },
  payload_too_large: { ...CALLER, code: Code.ResourceExhausted, http: 413 },
  idempotency_conflict: { ...CALLER, code: Code.AlreadyExists, http: 409 },
  outcome_unknown: { ...CALLER, code: Code.Aborted, http: 409 },
  idempotency_unavailable: { ...OPERATOR, retryable: true, code: Code.Unavailable, http: 503 },
  job_queue_full: { ...CALLER, retryable: true, code: Code.ResourceExhausted, http: 429 },
  job_not_ended: { ...CALLER, retryable: true, code: Code.FailedPrecondition, http: 400 },
  job_cancelled: { ...CALLER, code: Code.FailedPrecondition, http: 400 },
  job_expired: { ...CALLER, code: Code.FailedPrecondition, http: 400 },
  job_lost: { ...OPERATOR, code: Code.Internal, http: 500 },
  result_expired: { ...CALLER, code: Code.NotFound, http: 404 },
  jobs_unavailable: { ...OPERATOR, retryable: true, code: Code.Unavailable, http: 503 },
  database_unavailable: { ...OPERATOR, retryable: true, code: Code.Unavailable, http: 503 },
  rate_limited: { ...CALLER, retryable: true, code: Code.ResourceExhausted, http: 429 },
  budget_exceeded: { ...CALLER, code: Code.ResourceExhausted, http: 429 },
  budget_unavailable: { ...OPERATOR, retryable: true, code: Code.Unavailable, http: 503 },
  deadline_exceeded: { ...CALLER, ...PAID, code: Code.DeadlineExceeded, http: 504 },
  cancelled: { ...NOBODY, code: Code.Canceled, http: 499 },
  shutting_down: { ...NOBODY, retryable: true, code: Code.Unavailable, http: 503 },
  provider_bad_request: { ...CALLER, code: Code.InvalidArgument, http: 400 },
  context_too_long: { ...CALLER, ...ELSEWHERE, code: Code.InvalidArgument, http: 400 },
  content_filtered: { ...CALLER, code: Code.InvalidArgument, http: 400 },
  content_refused: { ...CALLER, code: Code.InvalidArgument, http: 400 },
  moderation_unavailable: { ...OPERATOR, retryable: true, code: Code.Unavailable, http: 503 },
  provider_auth: { ...OPERATOR, ...ELSEWHERE, code: Code.Internal, http: 500 },
  provider_permission: { ...OPERATOR, ...ELSEWHERE, code: Code.Internal, http: 500 },
  model_not_found: { ...CALLER, ...ELSEWHERE, code: Code.NotFound, http: 404 },
  provider_rate_limited: { ...PROVIDER, code: Code.ResourceExhausted, http: 429 },
  quota_exhausted: { ...OPERATOR, ...ELSEWHERE, code: Code.ResourceExhausted, http: 429 },
  provider_overloaded: { ...PROVIDER, code: Code.Unavailable, http: 503 },
  provider_error: { ...PROVIDER, code: Code.Unavailable, http: 503 },
  provider_timeout: { ...PROVIDER, ...PAID, code: Code.DeadlineExceeded, http: 504 },
  unreachable: { ...PROVIDER, code: Code.Unavailable, http: 503 },
  cut: { ...PROVIDER, ...PAID, code: Code.Unavailable, http: 503 },
  malformed_reply: { ...PROVIDER, ...PAID, code: Code.Internal, http: 500 },
  provider_unavailable: { ...OPERATOR, ...ELSEWHERE, code: Code.Unavailable, http: 503 },
  circuit_open: { ...PROVIDER, code: Code.Unavailable, http: 503 },
  concurrency_limited: {
    ...OPERATOR,
    ...ELSEWHERE,
    retryable: true,
    code: Code.ResourceExhausted,
    http: 429,
  },
  stream_too_slow: { ...PROVIDER, ...PAID, code: Code.DeadlineExceeded, http: 504 },
  hedge_lost: { ...NOBODY, code: Code.Canceled, http: 499 },
  slow_reader: { ...CALLER, retryable: true, code: Code.ResourceExhausted, http: 429 },
  shared_answer_cut: { ...NOBODY, ...FREE, retryable: true, code: Code.Unavailable, http: 503 },
  internal: { ...OPERATOR, ...PAID, code: Code.Internal, http: 500 },
};

/** The gateway's own, which tell nothing of the provider. */
const OF_THE_GATEWAY: ReadonlySet<string> = new Set<FailureKind>([
  "internal",
  "provider_unavailable",
  "circuit_open",
  "concurrency_limited",
  "budget_unavailable",
  "jobs_unavailable",
  "database_unavailable",
  "idempotency_unavailable",
  "moderation_unavailable",
  "job_lost",
]);

/** Whether an attempt that ended so says that the provider does not serve, or not this model. */
export function tellsOfProvider(kind: string): boolean {
  const traits = FAILURES[kind as FailureKind];
  return (traits?.faultOf === "provider" || traits?.faultOf === "operator") && !OF_THE_GATEWAY.has(kind);
}

/**
 * Whether it says so of the model alone: keys are granted models and regions one by one, and callers choose among all
 * that there are.
 */
export function tellsOfModelAlone(kind: string): boolean {
  return kind === ("provider_permission" satisfies FailureKind);
}

export interface FailureDetails {
  /** What an operator reads: the provider's own words, status and ids. */
  readonly operator?: string;
  /** Which fields of the request are wrong, and how to mend them; the first of them are told. */
  readonly violations?: readonly Violation[];
  /** When it is worth trying again. */
  readonly retryAfterMs?: number;
  /** The provider took the request up, with status 200, before it failed: it may charge for it. */
  readonly accepted?: boolean;
  /** The provider never saw the request: it cannot charge for it, whatever ended the call. */
  readonly unsent?: boolean;
  /** The caller did not want to wait for as long as the provider may take: it tells nothing of the provider. */
  readonly impatient?: boolean;
  /** The attempt goes on without this process: its row stays open, for whoever takes it up. */
  readonly suspended?: boolean;
  /** It would be served once other work is over that is under way, which may take hours. */
  readonly noRoom?: boolean;
  readonly cause?: unknown;
}

export interface Violation {
  /** Path of the field in proto names, such as `messages[0].role`. */
  readonly field: string;
  readonly description: string;
}

/** A caller chooses how many there are, and gRPC tells them in a trailer, which clients bound to some kilobytes. */
const MAX_VIOLATIONS = 20;
/** Likewise of the keys of maps, which stand in the fields' names. */
const MAX_FIELD_BYTES = 100;

/** A failure with its two texts: `message` for the caller, `operator` for the log. Neither keeps a secret. */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly operator: string | undefined;
  readonly violations: readonly Violation[];
  /** Lowered where there is another way sooner than the provider says. */
  retryAfterMs: number | undefined;
  /** Whether the provider may have charged for the attempt all the same. */
  readonly maybePaid: boolean;
  /** Whether the caller did not want to wait for as long as the provider may take. */
  readonly impatient: boolean;
  /** Whether the attempt goes on without this process. */
  readonly suspended: boolean;
  /** Whether it only has to wait for other work to be over. */
  readonly noRoom: boolean;
  /** What was spent before it failed; set once the call is over. */
  receipt: Receipt | undefined;
  /** Of the reply, where it was refused before there was a request that bears them. */
  replyHeaders: ReadonlyMap<string, string> | undefined;
  /** Whether the log and the metrics have it, so that it is told once. */
  recorded = false;

  constructor(kind: FailureKind, message: string, details: FailureDetails = {}) {
    super(redact(message), { cause: details.cause });
    this.name = "Failure";
    this.kind = kind;
    this.operator = details.operator === undefined ? undefined : redact(details.operator);
    this.violations = (details.violations ?? []).slice(0, MAX_VIOLATIONS).map(({ field, description }) => ({
      field: shortened(redact(field)),
      description: redact(description),
    }));
    this.retryAfterMs = details.retryAfterMs;
    this.impatient = details.impatient === true;
    this.suspended = details.suspended === true;
    this.noRoom = details.noRoom === true;
    this.maybePaid = !details.unsent && (FAILURES[kind].maybePaid || details.accepted === true);
  }

  get traits(): FailureTraits {
    return FAILURES[this.kind];
  }

  /** What became of the call: nobody failed when the caller left. */
  get outcome(): "failed" | "abandoned" {
    return this.traits.faultOf === "nobody" ? "abandoned" : "failed";
  }
}

/** A request that names a field that cannot be: the message repeats the first of them. */
export function invalidRequest(violations: readonly Violation[]): Failure {
  const [first] = violations;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  const text = first
    ? `${first.field ? `${shortened(redact(first.field))}: ` : ""}${first.description}${more}`
    : "invalid request";
  return new Failure("invalid_request", text, { violations });
}

function shortened(field: string): string {
  const { read } = new TextEncoder().encodeInto(field, new Uint8Array(MAX_FIELD_BYTES));
  return read < field.length ? `${field.slice(0, read)}…` : field;
}

/** A request for a chat that neither says anything nor names a template. */
export const NOTHING_SAID: Violation = {
  field: "messages",
  description: "must contain at least 1 item(s), or name a template",
};

/** Whatever was thrown, as a failure. What nobody foresaw is internal, and says nothing to the caller. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof DatabaseFault) {
    const text = "the gateway's database does not answer; try again";
    return new Failure("database_unavailable", text, { operator: error.message, cause: error });
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new Failure("internal", "the gateway failed; its log has the details under this request id", {
    operator: text,
    cause: error,
  });
}
