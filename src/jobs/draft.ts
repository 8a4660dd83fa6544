/** A submission as it is stored: judged as a call would be, priced beforehand, and within the limits of a job. */
import { randomUUIDv7 } from "node:crypto";
import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { SubmitBatchRequest, SubmitJobRequest } from "../../gen/ts/llmgateway/v1/job_pb.ts";
import type { TemplateUse } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { RequestContext, Target } from "../core/call.ts";
import { Failure, invalidRequest, toFailure } from "../core/failure.ts";
import { fingerprintOf, idempotencyKeyOf } from "../core/idempotency.ts";
import type { NewJob, Submission, SubmissionKey } from "../core/job-store.ts";
import { labelsOf } from "../core/labels.ts";
import type { PicoUsd } from "../core/money.ts";
import { traceparentOf } from "../telemetry/trace.ts";

/** Where a request would go and what it would cost, without being made. Throws the Failure that would refuse it. */
export type Preview = (request: ChatRequest, context: RequestContext) => Promise<Previewed>;

export interface Previewed {
  readonly target: Target;
  /** Undefined when the price is not known. */
  readonly estimated: PicoUsd | undefined;
  /** Of which it is made; undefined for none. */
  readonly template?: TemplateUse | undefined;
}

export interface DraftOptions {
  readonly preview: Preview;
  readonly limits: SubmissionLimits;
  /** What is wrong with a URL to call back; undefined for nothing. */
  readonly callbackProblem: (url: string) => string | undefined;
  readonly nowMs: number;
}

export interface SubmissionLimits {
  readonly maxStored: number;
  readonly maxPending: number;
  readonly maxJobBytes: number;
  readonly startWithinMs: number;
}

/** A submission before it is judged. What came before under its key has been judged then. */
export interface Draft {
  readonly key: SubmissionKey;
  /** @throws Failure that would refuse it */
  judged(): Promise<Submission>;
}

/** What jobs and batches have in common. */
type Terms = Pick<
  SubmitJobRequest,
  "idempotencyKey" | "callbackUrl" | "priority" | "runAt" | "startWithinMs"
>;

/** @throws Failure for a key that is none */
export function draftJob(request: SubmitJobRequest, context: RequestContext, options: DraftOptions): Draft {
  const chat = chatOf(request);
  const key = keyOf([["", chat]], request, context);
  const judged = async () => {
    checkCallback(request, options);
    const job = await jobOf(chat, request, context, options);
    const jobs = [{ ...job, callbackUrl: request.callbackUrl }];
    return submissionOf(key, { batch: undefined, jobs }, options);
  };
  return { key, judged };
}

/** @throws Failure for a key that is none */
export function draftBatch(
  request: SubmitBatchRequest,
  context: RequestContext,
  options: DraftOptions,
): Draft {
  const asked = request.requests.map(
    ({ customId, request: chat = create(ChatRequestSchema) }) => [customId, chat] as const,
  );
  const key = keyOf(asked, request, context);
  const judged = async () => {
    checkCallback(request, options);
    checkNames(request);
    return submissionOf(key, await batchOf(asked, request, context, options), options);
  };
  return { key, judged };
}

async function batchOf(
  asked: Asked,
  request: SubmitBatchRequest,
  context: RequestContext,
  options: DraftOptions,
): Promise<Pick<Submission, "batch" | "jobs">> {
  const batchId = randomUUIDv7();
  const jobs: NewJob[] = [];
  for (const [index, [customId, chat]] of asked.entries()) {
    const field = `requests[${index}].request`;
    if (chat.stream)
      throw invalidRequest([{ field: `${field}.stream`, description: "must be false in a batch" }]);
    try {
      jobs.push({ ...(await jobOf(chat, request, context, options)), batchId, customId });
    } catch (error) {
      throw within(field, error);
    }
  }
  const { tenant, principal } = context;
  const batch = { batchId, tenant, principal, createdAtMs: options.nowMs, callbackUrl: request.callbackUrl };
  return { batch, jobs: inTurn(jobs) };
}

/** Ids of one millisecond are in no order, and jobs that are due together are run by their ids. */
function inTurn(jobs: readonly NewJob[]): NewJob[] {
  const ids = jobs.map(({ jobId }) => jobId).sort();
  return jobs.map((job, index) => ({ ...job, jobId: ids[index] ?? job.jobId }));
}

async function jobOf(
  chat: ChatRequest,
  terms: Terms,
  context: RequestContext,
  { preview, limits, nowMs }: DraftOptions,
): Promise<NewJob> {
  const { target, estimated, template } = await preview(chat, context);
  // Whatever becomes the latest until it runs.
  const pinned = template ? { ...chat, templateVersion: template.version } : chat;
  const request = toBinary(ChatRequestSchema, pinned);
  if (request.length > limits.maxJobBytes) {
    const text = `a job may have ${limits.maxJobBytes} bytes, and this one has ${request.length}; pass files by URL`;
    throw new Failure("payload_too_large", text);
  }
  const { tenant, principal, span } = context;
  return {
    jobId: randomUUIDv7(),
    batchId: "",
    customId: "",
    tenant,
    principal,
    priority: terms.priority,
    createdAtMs: nowMs,
    dueAtMs: Math.max(nowMs, msOf(terms.runAt) ?? nowMs),
    startWithinMs: terms.startWithinMs === undefined ? limits.startWithinMs : Number(terms.startWithinMs),
    model: `${target.provider}/${target.model}`,
    metadata: labelsOf(chat),
    callbackUrl: "",
    estimatedPicoUsd: estimated,
    traceparent: traceparentOf(span),
    request,
  };
}

/** What each job asks, by its name. */
type Asked = readonly (readonly [customId: string, chat: ChatRequest])[];

function keyOf(asked: Asked, terms: Terms, context: RequestContext): SubmissionKey {
  const idempotencyKey = idempotencyKeyOf(terms, context);
  return { idempotencyKey, fingerprint: idempotencyKey && fingerprintOf(saidBy(asked, terms)) };
}

function submissionOf(
  key: SubmissionKey,
  what: Pick<Submission, "batch" | "jobs">,
  { limits: { maxPending, maxStored } }: DraftOptions,
): Submission {
  return { ...what, ...key, maxPending, maxStored };
}

/** The flat message without what makes it a job. */
function chatOf(request: SubmitJobRequest): ChatRequest {
  const { messages, model, modelVersion, parameters, maxCostUsd, tools, toolChoice } = request;
  const { responseFormat, timeoutMs, metadata, extraBody } = request;
  const { preferLowCost, routingPolicy, taskType, fallbackChain, sessionId, resilience } = request;
  const { cache, cacheTtlSeconds, sensitive, template, variables, templateVersion, experiment } = request;
  return create(ChatRequestSchema, {
    messages,
    model,
    modelVersion,
    tools,
    toolChoice,
    metadata,
    experiment,
    preferLowCost,
    routingPolicy,
    taskType,
    fallbackChain,
    sessionId,
    cache,
    sensitive,
    template,
    variables,
    templateVersion,
    ...(cacheTtlSeconds === undefined ? {} : { cacheTtlSeconds }),
    ...(resilience ? { resilience } : {}),
    ...(parameters ? { parameters } : {}),
    ...(maxCostUsd === undefined ? {} : { maxCostUsd }),
    ...(responseFormat ? { responseFormat } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(extraBody ? { extraBody } : {}),
  });
}

function checkCallback({ callbackUrl }: Terms, { callbackProblem }: DraftOptions): void {
  const problem = callbackUrl ? callbackProblem(callbackUrl) : undefined;
  if (problem) throw invalidRequest([{ field: "callback_url", description: problem }]);
}

function checkNames({ requests }: SubmitBatchRequest): void {
  const seen = new Map<string, number>();
  for (const [index, { customId }] of requests.entries()) {
    const before = seen.get(customId);
    if (before !== undefined) {
      const description = `is that of requests[${before}] too; give each its own`;
      throw invalidRequest([{ field: `requests[${index}].custom_id`, description }]);
    }
    seen.set(customId, index);
  }
}

/** Of what was asked for, and not of what follows from the time or the configuration. */
function saidBy(asked: Asked, terms: Terms): unknown[] {
  const { callbackUrl, priority, runAt, startWithinMs } = terms;
  return [
    [callbackUrl, priority, msOf(runAt), startWithinMs?.toString()],
    ...asked.map(([customId, chat]) => [customId, toJson(ChatRequestSchema, chat)]),
  ];
}

function msOf(time: Timestamp | undefined): number | undefined {
  return time && timestampMs(time);
}

/** The failure of a part, by the whole's names for its fields. */
function within(field: string, error: unknown): Failure {
  const failure = toFailure(error);
  const violations = failure.violations.map((violation) => ({
    ...violation,
    field: violation.field ? `${field}.${violation.field}` : field,
  }));
  const { operator, retryAfterMs } = failure;
  return new Failure(failure.kind, `${field}: ${failure.message}`, {
    violations,
    cause: error,
    ...(operator === undefined ? {} : { operator }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
