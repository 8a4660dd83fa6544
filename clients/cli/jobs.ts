/** `llmgateway jobs`: what is asked of jobs that there are. */
import { create, toJsonString } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { ChatResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import {
  type Job,
  JobEventSchema,
  JobSchema,
  ListJobsResponseSchema,
} from "../../gen/ts/llmgateway/v1/job_pb.ts";
import type { Gateway } from "../typescript/src/node.ts";
import { type CallOptions, call, JSON_OPTIONS } from "./call.ts";
import { describeReceipt, dollars } from "./describe.ts";
import { fields, table } from "./table.ts";
import { print, textOf } from "./text.ts";

export interface JsonOptions extends CallOptions {
  readonly json: boolean;
}

export interface JobsListOptions extends JsonOptions {
  readonly status: string;
  readonly model: string;
  readonly batch: string;
  readonly limit: number;
}

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;
const MAX_PAGE = 1_000;

export function listJobs({
  status,
  model,
  batch,
  limit,
  json,
  ...options
}: JobsListOptions): Promise<number> {
  return call(options, async (gateway, signal) => {
    const jobs: Job[] = [];
    for (let pageToken = ""; jobs.length < limit; ) {
      const pageSize = Math.min(limit - jobs.length, MAX_PAGE);
      const page = await gateway.listJobs({ status, model, batchId: batch, pageSize, pageToken }, { signal });
      jobs.push(...page.jobs);
      pageToken = page.nextPageToken;
      if (!pageToken) break;
    }
    if (json) {
      process.stdout.write(
        `${toJsonString(ListJobsResponseSchema, create(ListJobsResponseSchema, { jobs }), PRETTY)}\n`,
      );
      return;
    }
    const rows = jobs.map((job) => [job.jobId, job.status, job.model, when(job.createdAt), costOf(job)]);
    process.stdout.write(table(["JOB", "STATUS", "MODEL", "SUBMITTED", "COST"], rows));
  });
}

export function getJob(jobId: string, options: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) =>
    printJob(await gateway.getJob({ jobId }, { signal }), options.json),
  );
}

export function cancelJob(jobId: string, options: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) =>
    printJob(await gateway.cancelJob({ jobId }, { signal }), options.json),
  );
}

export function printResult(jobId: string, { json, ...options }: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) => {
    const reply = await gateway.getJobResult({ jobId }, { signal });
    if (json) {
      process.stdout.write(`${toJsonString(ChatResponseSchema, reply, PRETTY)}\n`);
      return;
    }
    print(`${reply.response}\n`);
    for (const { name, arguments: args, input } of reply.toolCalls) print(`${name}(${args || input})\n`);
    process.stderr.write(`${describeReceipt(reply)}\n`);
  });
}

/** With `--json` each event is a line. */
export function watch(jobId: string, { json, ...options }: JsonOptions): Promise<number> {
  return call(
    options,
    async (gateway, signal) => {
      if (!json) return follow(gateway, jobId, false, signal);
      for await (const event of gateway.watchJob({ jobId }, { signal }))
        process.stdout.write(`${toJsonString(JobEventSchema, event, JSON_OPTIONS)}\n`);
    },
    () => goingOn(jobId),
  );
}

/** Of a job that nobody waits for any more. */
export function goingOn(jobId: string): string {
  return `\nthe job goes on; to end it: llmgateway jobs cancel ${jobId}\n`;
}

/** Words to standard output, what happens to standard error; then the receipt. Throws what the job failed with. */
export async function follow(
  gateway: Gateway,
  jobId: string,
  json: boolean,
  signal: AbortSignal,
): Promise<void> {
  let printed = "";
  let completed = "";
  const lineEnd = () => (json || printed === "" || printed.endsWith("\n") ? "" : "\n");
  for await (const { job, output } of gateway.watchJob({ jobId }, { signal })) {
    if (output && !json) {
      printed += show(textOf(output));
    }
    if (!job) continue;
    const event = `${job.status}${describeRun(job)}\n`;
    if (job.status === "completed") {
      // What is missing of the answer comes before it.
      completed = event;
      continue;
    }
    process.stdout.write(lineEnd());
    // A run begins with its first word.
    printed = "";
    print(event, process.stderr);
  }
  const reply = await gateway.getJobResult({ jobId }, { signal });
  if (json) process.stdout.write(`${toJsonString(ChatResponseSchema, reply, PRETTY)}\n`);
  else {
    // What came before the watch, or was lost with a connection.
    if (!printed.startsWith(reply.response)) printed += show(missingOf(reply.response, printed));
    process.stdout.write(lineEnd());
  }
  process.stderr.write(completed);
  if (!json) process.stderr.write(`${describeReceipt(reply)}\n`);
}

function show(words: string): string {
  print(words);
  return words;
}

function missingOf(answer: string, printed: string): string {
  return answer.startsWith(printed) ? answer.slice(printed.length) : answer;
}

function describeRun({ runs, failure, status }: Job): string {
  if (failure && status !== "completed") return `: ${failure.message} (${failure.kind})`;
  return runs > 1 ? ` (run ${runs})` : "";
}

export function printJob(job: Job, json: boolean): void {
  if (json) {
    process.stdout.write(`${toJsonString(JobSchema, job, PRETTY)}\n`);
    return;
  }
  const { failure } = job;
  process.stdout.write(
    fields({
      job: job.jobId,
      status: job.status,
      model: job.model,
      cost: costOf(job),
      runs: String(job.runs),
      failure: failure && `${failure.message} (${failure.kind})`,
      submitted: when(job.createdAt),
      due: when(job.runAt),
      started: when(job.startedAt),
      ended: when(job.endedAt),
      "result until": when(job.resultExpiresAt),
      batch: job.batchId,
      "custom id": job.customId,
      "callback URL": job.callbackUrl,
    }),
  );
}

export function when(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toISOString() : "";
}

/** What is to be expected stands in its place only until it has begun. */
function costOf({ runs, endedAt, costUsd, estimatedCostUsd }: Job): string {
  if (runs > 0 || endedAt) return dollars(costUsd);
  return estimatedCostUsd === undefined ? "" : `about ${dollars(estimatedCostUsd)}`;
}
