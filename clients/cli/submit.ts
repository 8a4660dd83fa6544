/** `llmgateway jobs submit`: a job by the options or from a file, and with `--wait` its answer. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { create, fromJsonString, toJsonString } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  JobSchema,
  type SubmitJobRequest,
  SubmitJobRequestSchema,
} from "../../gen/ts/llmgateway/v1/job_pb.ts";
import { ParametersSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { messageOf } from "../../src/core/message.ts";
import type { Gateway } from "../typescript/src/node.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { type ChatOptions, requestOf } from "./chat.ts";
import { InputError } from "./input-error.ts";
import type { LaterOptions } from "./job-commands.ts";
import { follow, goingOn } from "./jobs.ts";

export interface SubmitOptions extends Omit<ChatOptions, "stream">, LaterOptions {
  readonly file?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly idempotencyKey?: string;
  readonly wait: boolean;
  readonly quiet: boolean;
}

/** Prints the id first, so that scripts have it. Gives the exit status. */
export async function submit(message: string | undefined, options: SubmitOptions): Promise<number> {
  const request = await readRequest(message, options);
  let jobId = "";
  const make = async (gateway: Gateway, signal: AbortSignal) => {
    const job = await gateway.submitJob(request, { signal });
    ({ jobId } = job);
    if (options.json && !options.wait) {
      process.stdout.write(`${toJsonString(JobSchema, job, { ...JSON_OPTIONS, prettySpaces: 2 })}\n`);
      return;
    }
    const out = options.wait && options.json ? process.stderr : process.stdout;
    out.write(
      options.quiet || options.wait ? `${job.jobId}\n` : `${job.jobId}  ${job.status}  ${job.model}\n`,
    );
    if (options.wait) await follow(gateway, job.jobId, options.json, signal);
  };
  return call(options, make, () => (jobId ? goingOn(jobId) : "aborted; the job may have been submitted\n"));
}

async function readRequest(message: string | undefined, options: SubmitOptions): Promise<SubmitJobRequest> {
  const isWritten = message !== undefined || options.template !== undefined;
  if (isWritten === (options.file !== undefined)) {
    throw new InputError("give the message or --template, or a request by --file, and not both");
  }
  const { callbackUrl, priority, runAt, startWithin, idempotencyKey, metadata } = options;
  const base = options.file === undefined ? await written(message, options) : await filed(options);
  return create(SubmitJobRequestSchema, {
    ...base,
    ...(callbackUrl === undefined ? {} : { callbackUrl }),
    ...(priority === undefined ? {} : { priority }),
    ...(runAt === undefined ? {} : { runAt: timestampFromDate(runAt) }),
    ...(startWithin === undefined ? {} : { startWithinMs: BigInt(startWithin) }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(metadata === undefined ? {} : { metadata: { ...base.metadata, ...metadata } }),
  });
}

async function written(message: string | undefined, options: SubmitOptions): Promise<SubmitJobRequest> {
  const { $typeName, stream, ...asked } = await requestOf(message, options);
  return create(SubmitJobRequestSchema, asked);
}

/** The options go before what the file says. */
async function filed(options: SubmitOptions): Promise<SubmitJobRequest> {
  const { file = "", model, modelVersion, system, maxTokens, maxCost, timeout } = options;
  if (system !== undefined) throw new InputError("--system: write it into the file, as its first message");
  if (options.var !== undefined || options.templateVersion !== undefined)
    throw new InputError(
      "--var and --template-version: write them into the file, as variables and template_version",
    );
  const request = await parse(file);
  if (model) Object.assign(request, { model, modelVersion });
  else if (modelVersion) request.modelVersion = modelVersion;
  if (maxCost !== undefined) request.maxCostUsd = maxCost;
  if (timeout !== undefined) request.timeoutMs = timeout;
  if (maxTokens !== undefined) {
    request.parameters ??= create(ParametersSchema);
    request.parameters.maxTokens = maxTokens;
  }
  return request;
}

async function parse(file: string): Promise<SubmitJobRequest> {
  try {
    const content = file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
    return fromJsonString(SubmitJobRequestSchema, content);
  } catch (error) {
    throw new InputError(`${file}: ${messageOf(error)}`);
  }
}
