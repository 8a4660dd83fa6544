/** A job as it goes on, over as many connections as that takes. It does not fetch the result. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { StreamResponseSchema } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { GatewayService } from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
import {
  type Job,
  type JobEvent,
  JobEventSchema,
  WatchJobRequestSchema,
} from "../../../gen/ts/llmgateway/v1/job_pb.ts";
import { Call, type CallOptions, type CallSettings } from "./call.ts";
import { Patience } from "./patience.ts";

const FINAL: ReadonlySet<string> = new Set(["completed", "failed", "cancelled", "expired"]);

/** Whether nothing more will become of a job. */
export function hasEnded({ status }: Job): boolean {
  return FINAL.has(status);
}

/** @param isKnown whether the gateway has told of the job already, so that it is waited for from the first connection on */
export async function* watchJob(
  rpc: Client<typeof GatewayService>,
  settings: CallSettings,
  request: MessageInitShape<typeof WatchJobRequestSchema>,
  options: CallOptions,
  isKnown = false,
): AsyncGenerator<JobEvent, void, undefined> {
  // A job may take longer than any call.
  const call = new Call(WatchJobRequestSchema, request, options, { ...settings, timeoutMs: undefined });
  const patience = new Patience(call, settings.clock, isKnown);
  const told = new Told();
  try {
    for (;;) {
      const connection = rpc.watchJob(call.message, call.attempt())[Symbol.asyncIterator]();
      told.again();
      let event = await next(connection, call, false).catch((failure) => patience.after(failure));
      while (event) {
        patience.heard();
        const news = told.news(event);
        if (news) yield news;
        if (event.job && hasEnded(event.job)) return;
        event = await next(connection, call, true).catch((failure) => patience.after(failure));
      }
    }
  } finally {
    call.close();
  }
}

async function next(connection: AsyncIterator<JobEvent>, call: Call, begun: boolean): Promise<JobEvent> {
  try {
    const result = await connection.next();
    if (!result.done) return result.value;
  } catch (cause) {
    throw call.failure(cause, begun);
  }
  // A gateway may end the stream in silence when the time is up.
  const isLate = call.remainingMs <= 0;
  throw call.failure(
    isLate ? new ConnectError("", Code.DeadlineExceeded) : new Error("it ended early"),
    true,
  );
}

/** What has been told of a job. Each connection begins with the job as it is, and with the first word of its run. */
class Told {
  private status = "";
  /** A run that was given back has no number of its own, but its own beginning. */
  private run = "";
  /** How long the text of the run is that was told, over all connections. */
  private length = 0;
  /** How much of it this connection has still to repeat. */
  private repeating = 0;

  again(): void {
    this.repeating = this.length;
  }

  /** What of the event is new; nothing when nothing is. */
  news(event: JobEvent): JobEvent | undefined {
    if (event.job) {
      const { status, runs, startedAt } = event.job;
      const run = `${runs} ${startedAt?.seconds}.${startedAt?.nanos}`;
      if (status === this.status && run === this.run) return undefined;
      if (run !== this.run || status === "pending") this.length = this.repeating = 0;
      this.status = status;
      this.run = run;
      return event;
    }
    const { token, index = 0 } = event.output ?? {};
    if (token === undefined || index > 0) return event;
    const fresh = token.slice(this.repeating);
    this.repeating -= token.length - fresh.length;
    this.length += fresh.length;
    if (fresh === token) return event;
    if (fresh === "") return undefined;
    return create(JobEventSchema, {
      output: create(StreamResponseSchema, { ...event.output, token: fresh }),
    });
  }
}
