/** Webhooks as their receiver has them: checked by their signature, and read. It is an entry of its own, and makes no calls. */
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { type ChatResponse, ChatResponseSchema } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Batch, BatchSchema, type Job, JobSchema } from "../../../gen/ts/llmgateway/v1/job_pb.ts";

export { WebhookVerificationError } from "standardwebhooks";
export type { ChatResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
export type { Batch, Job } from "../../../gen/ts/llmgateway/v1/job_pb.ts";

export type WebhookType =
  | "job.completed"
  | "job.failed"
  | "job.cancelled"
  | "job.expired"
  | "batch.completed"
  | "batch.cancelled";

/** What a webhook says. */
export interface WebhookPayload {
  /** What ended, and how. */
  readonly type: WebhookType;
  /** When it ended. */
  readonly timestamp: Date;
  readonly data: {
    /** Of `job.…`. */
    readonly job?: Job;
    /** Of `batch.…`. */
    readonly batch?: Batch;
    /** The reply of a job that completed, when it is small enough; else it is to be fetched by `getJobResult`. */
    readonly result?: ChatResponse;
  };
}

/** As node:http, fetch or a framework has them. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

/** A gateway of another version may say more than this client knows. */
const TOLERANT = { ignoreUnknownFields: true } as const;

/**
 * Gives what a webhook says, once its signature and its time are found right.
 *
 * @param body as it was received, before anything parsed it
 * @param secret as the gateway has it, `whsec_` and base64; several while one replaces another
 * @throws WebhookVerificationError for one that the gateway did not send, or that is older than five minutes
 */
export function verifyWebhook(
  body: string | Uint8Array,
  headers: WebhookHeaders,
  secret: string | readonly string[],
): WebhookPayload {
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const given = plain(headers);
  const secrets = typeof secret === "string" ? [secret] : secret;
  if (secrets.length === 0) throw new TypeError("secret: give at least one");
  let failure: unknown;
  for (const one of secrets) {
    try {
      new Webhook(one).verify(text, given, { jsonParse: false });
      return read(text);
    } catch (error) {
      if (!(error instanceof WebhookVerificationError)) throw error;
      failure = error;
    }
  }
  throw failure;
}

function plain(headers: WebhookHeaders): Record<string, string> {
  const entries = headers instanceof Headers ? [...headers] : Object.entries(headers);
  return Object.fromEntries(
    entries.flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
  );
}

function read(text: string): WebhookPayload {
  const { type, timestamp, data } = JSON.parse(text) as {
    readonly type: WebhookType;
    readonly timestamp: string;
    readonly data: { readonly job?: JsonValue; readonly batch?: JsonValue; readonly result?: JsonValue };
  };
  const { job, batch, result } = data;
  return {
    type,
    timestamp: new Date(timestamp),
    data: {
      ...(job === undefined ? {} : { job: fromJson(JobSchema, job, TOLERANT) }),
      ...(batch === undefined ? {} : { batch: fromJson(BatchSchema, batch, TOLERANT) }),
      ...(result === undefined ? {} : { result: fromJson(ChatResponseSchema, result, TOLERANT) }),
    },
  };
}
