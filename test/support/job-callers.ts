/** Jobs by REST and server-sent events, by Connect in JSON and by gRPC, behind the one interface of a generated client. */
import {
  create,
  fromJson,
  getOption,
  type JsonObject,
  type MessageInitShape,
  toJson,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Client,
  Code,
  ConnectError,
  createClient,
  type Transport,
} from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { http } from "../../gen/ts/google/api/annotations_pb.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type {
  Job,
  JobEvent,
  SubmitJobRequest,
  SubmitJobRequestSchema,
} from "../../gen/ts/llmgateway/v1/job_pb.ts";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { readEvents } from "./sse.ts";

export type JobClient = Client<typeof GatewayService>;

/** The fields of a submission, as a plain object. */
export type JobInit = Exclude<MessageInitShape<typeof SubmitJobRequestSchema>, SubmitJobRequest>;

export interface JobCaller {
  readonly name: string;
  at(url: string): JobClient;
}

export const JOB_CALLERS: readonly JobCaller[] = [
  { name: "REST", at: (url) => createClient(GatewayService, restTransport(url)) },
  {
    name: "Connect in JSON",
    at: (baseUrl) =>
      createClient(
        GatewayService,
        createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
      ),
  },
  { name: "gRPC", at: (baseUrl) => createClient(GatewayService, createGrpcTransport({ baseUrl })) },
];

export function jobsAt(url: string): JobClient {
  return createClient(GatewayService, restTransport(url));
}

/** What a call was refused with, as a program reads it. */
export async function refusalOf(call: Promise<unknown>) {
  const error = await call.then(() => undefined, ConnectError.from);
  if (!error) throw new Error("nothing was refused");
  const [retry] = error.findDetails(RetryInfoSchema);
  const [receipt] = error.findDetails(ReceiptSchema);
  return {
    code: Code[error.code],
    kind: error.findDetails(ErrorInfoSchema)[0]?.reason,
    fields: error
      .findDetails(BadRequestSchema)
      .flatMap((bad) => bad.fieldViolations.map(({ field }) => field)),
    retrySeconds: retry && Number(retry.retryDelay?.seconds),
    receipt,
  };
}

/** Watches a job to its end. */
export async function endOf(
  client: JobClient,
  { jobId }: Pick<Job, "jobId">,
  options: CallOptions = {},
): Promise<Job> {
  const { job } = await told(client.watchJob({ jobId }, options));
  return job;
}

/** What a watcher was told: each status with its run, the words between them, and the job at last. */
export async function told(events: AsyncIterable<JobEvent>) {
  const states: string[] = [];
  const words: string[] = [""];
  let job: Job | undefined;
  let failure: string | undefined;
  for await (const event of events) {
    if (event.job) {
      job = event.job;
      states.push(event.job.status);
      if (event.job.status === "pending" && words.at(-1) !== "") words.push("");
    }
    words[words.length - 1] += event.output?.token ?? "";
    failure = event.output?.error?.kind ?? failure;
  }
  if (!job) throw new Error("nothing was told");
  return { job, states, words, failure };
}

function restTransport(url: string): Transport {
  return {
    async unary(method, signal, _timeoutMs, header, input) {
      const { reply, text } = await ask(signal, header, requestOf(url, method, create(method.input, input)));
      const message = fromJson(method.output, JSON.parse(await text()));
      const trailer = new Headers();
      return { stream: false, service: method.parent, method, header: reply.headers, trailer, message };
    },
    async stream(method, signal, _timeoutMs, header, input) {
      const [first] = await Array.fromAsync(input);
      if (!first) throw new Error("there is no request");
      const { reply } = await ask(signal, header, requestOf(url, method, create(method.input, first)));
      const pieces = (reply.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream());
      async function* messages() {
        for await (const { data } of readEvents(pieces))
          if (data !== undefined) yield fromJson(method.output, JSON.parse(data));
      }
      const trailer = new Headers();
      return {
        stream: true,
        service: method.parent,
        method,
        header: reply.headers,
        trailer,
        message: messages(),
      };
    },
  };
}

type Method = Parameters<Transport["unary"]>[0] | Parameters<Transport["stream"]>[0];

/** As the contract's annotation has it: fields in the path, then in the query or the body. */
function requestOf(url: string, method: Method, message: Parameters<typeof toJson>[1]) {
  const { case: verb = "", value: path } = getOption(method, http).pattern;
  const json = toJson(method.input, message, { useProtoFieldName: true }) as JsonObject;
  const place = String(path).replace(/\{(\w+)\}/g, (_, field: string) => {
    const value = String(json[field] ?? "");
    delete json[field];
    return encodeURIComponent(value);
  });
  if (verb === "post") return { url: url + place, verb: "POST", body: JSON.stringify(json) };
  const query = new URLSearchParams(Object.entries(json).map(([name, value]) => [name, String(value)]));
  return { url: `${url}${place}?${query}`, verb: verb.toUpperCase(), body: null };
}

async function ask(
  signal: AbortSignal | undefined,
  header: ConstructorParameters<typeof Headers>[0],
  { url, verb, body }: ReturnType<typeof requestOf>,
) {
  const headers = new Headers(header);
  if (body) headers.set("content-type", "application/json");
  const reply = await fetch(url, { method: verb, headers, body, signal: signal ?? null });
  if (reply.status === 200) return { reply, text: () => reply.text() };
  const fallback = new ConnectError(`HTTP ${reply.status}`, Code.Unknown);
  throw errorFromJson(JSON.parse(await reply.text()), reply.headers, fallback);
}
