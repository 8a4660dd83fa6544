/** Submits, cancels and lists as a careful client does: again and again, until a gateway has answered. */
import { setTimeout as wait } from "node:timers/promises";
import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import {
  BatchSchema,
  type Job,
  JobSchema,
  SubmitBatchRequestSchema,
  SubmitJobRequestSchema,
} from "../../gen/ts/llmgateway/v1/job_pb.ts";
import type { Submission } from "./plans.ts";

type Gateway = Client<typeof GatewayService>;

const AGAIN_MS = 200;
/** In all, which is far longer than a gateway or its database is ever away. */
const PATIENCE_MS = 60_000;
const CALL_MS = 20_000;
const OPTIONS = { timeoutMs: CALL_MS };
/** What a gateway says while it, or its database, is away. */
const PASSING = ["jobs_unavailable", "shutting_down"];
const PAGE_SIZE = 1_000;

export class Submitter {
  /** How often something was asked again. */
  repeated = 0;
  private readonly urlOf: () => string | undefined;
  private readonly callbackUrl: string;
  private readonly clients = new Map<string, Gateway>();

  constructor(urlOf: () => string | undefined, callbackUrl: string) {
    this.urlOf = urlOf;
    this.callbackUrl = callbackUrl;
  }

  /** Returns the job's or batch's id. */
  submit(submission: Submission): Promise<string> {
    return this.insist((client, url) =>
      submission.way === "rest" ? this.post(submission, url) : this.call(submission, client),
    );
  }

  async cancel({ kind }: Submission, id: string): Promise<void> {
    await this.insist(async (client) => {
      if (kind === "job") await client.cancelJob({ jobId: id }, OPTIONS);
      else await client.cancelBatch({ batchId: id }, OPTIONS);
    });
  }

  /** All that there are, the newest first. */
  async list(): Promise<Job[]> {
    const jobs: Job[] = [];
    let pageToken = "";
    do {
      const page = await this.insist((client) =>
        client.listJobs({ pageSize: PAGE_SIZE, pageToken }, OPTIONS),
      );
      jobs.push(...page.jobs);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return jobs;
  }

  private async call(submission: Submission, client: Gateway): Promise<string> {
    if (submission.kind === "batch")
      return (await client.submitBatch(this.batchOf(submission), OPTIONS)).batchId;
    return (await client.submitJob(this.jobOf(submission), OPTIONS)).jobId;
  }

  private async post(submission: Submission, url: string): Promise<string> {
    const options = { useProtoFieldName: true };
    const [path, body] =
      submission.kind === "batch"
        ? ["batches", toJson(SubmitBatchRequestSchema, this.batchOf(submission), options)]
        : ["jobs", toJson(SubmitJobRequestSchema, this.jobOf(submission), options)];
    const reply = await fetch(`${url}/v1/gateway/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_MS),
    });
    const json = (await reply.json()) as JsonValue;
    if (!reply.ok) throw errorFromJson(json, reply.headers, new ConnectError(`HTTP ${reply.status}`));
    return path === "batches" ? fromJson(BatchSchema, json).batchId : fromJson(JobSchema, json).jobId;
  }

  private jobOf({ key, chats: [chat] }: Submission) {
    if (!chat) throw new Error(`${key} has no chat`);
    return create(SubmitJobRequestSchema, {
      ...chat.request,
      idempotencyKey: key,
      callbackUrl: this.callbackUrl,
    });
  }

  private batchOf({ key, chats }: Submission) {
    const requests = chats.map(({ mark, request }) => ({ customId: mark, request }));
    return create(SubmitBatchRequestSchema, { requests, idempotencyKey: key, callbackUrl: this.callbackUrl });
  }

  private async insist<Result>(ask: (client: Gateway, url: string) => Promise<Result>): Promise<Result> {
    for (const endMs = Date.now() + PATIENCE_MS; ; await wait(AGAIN_MS)) {
      const url = this.urlOf();
      try {
        if (url) return await ask(this.clientOf(url), url);
      } catch (error) {
        if (!isPassing(error) || Date.now() > endMs) throw error;
        this.repeated++;
      }
      if (Date.now() > endMs) throw new Error("no gateway was up");
    }
  }

  private clientOf(url: string): Gateway {
    const client =
      this.clients.get(url) ??
      createClient(GatewayService, createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
    this.clients.set(url, client);
    return client;
  }
}

/** A connection that broke tells nothing; what a gateway says, it may mean. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return true;
  const [info] = error.findDetails(ErrorInfoSchema);
  return info ? PASSING.includes(info.reason) : error.code !== Code.InvalidArgument;
}
