/** A mixed workload of which each call is first tried dry and then made: what was foretold beside what came. */
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { ChatResponse, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { DryRunResponse } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Cost } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { workload } from "../faults/low-cost.ts";
import { plansOf } from "../money/plans.ts";
import { CALLERS, type ChatInit, type Conversation } from "../support/callers.ts";

export interface Task {
  readonly request: ChatInit;
  readonly streamed: boolean;
}

/** What a call was told beforehand, and what became of it. */
export interface Told {
  readonly task: Task;
  /** Undefined where the dry run failed as the call would. */
  readonly foretold: DryRunResponse | undefined;
  /** The kind of the refusal that was foretold; empty for none. */
  readonly foretoldKind: string;
  /** The kind of failure; empty for none. */
  readonly kind: string;
  readonly finishReason: string;
  readonly cost: Cost | undefined;
}

/** Every provider, tools, schemas, images, thoughts, several answers, long texts, and models without a price. */
export function mixed(seed: number, count: number): Task[] {
  const plans = plansOf(seed, Math.ceil(0.6 * count)).filter(({ kind }) => kind !== "embed");
  const planned = plans.map(({ request, kind }) => ({ request, streamed: kind === "stream" }));
  const asked = workload(count - planned.length).map(({ request, streamed }, index) => ({
    request: { ...request, model: MODELS[index % MODELS.length] ?? "" },
    streamed,
  }));
  const all: Task[] = [];
  for (let at = 0; at < Math.max(planned.length, asked.length); at++) {
    for (const task of [planned[at], asked[at]]) if (task) all.push(task);
  }
  return all;
}

const MODELS = [
  "openai/gpt-4o-mini",
  "claude/claude-sonnet-5",
  "gemini/gemini-2.5-flash",
  "vertex_ai/gemini-2.5-flash",
  "mistral/mistral-small-latest",
  "bedrock/amazon.nova-lite-v1:0",
];

/** One after the other, so that nothing moves between the telling and the call. */
export async function tell(url: string, tasks: readonly Task[]): Promise<Told[]> {
  const caller = CALLERS.find(({ name }) => name === "Connect in binary");
  if (!caller) throw new Error("there is no such caller");
  const conversation = caller.at(url);
  const all: Told[] = [];
  for (const task of tasks) {
    const foretold = await dryRun(conversation, task);
    all.push({ task, ...foretold, ...(await made(conversation, task)) });
  }
  return all;
}

async function dryRun(conversation: Conversation, { request, streamed }: Task) {
  try {
    const foretold = await conversation.dryRun({ ...request, stream: streamed });
    return { foretold, foretoldKind: foretold.wouldBeRefused?.kind ?? "" };
  } catch (error) {
    return { foretold: undefined, foretoldKind: kindOf(error) };
  }
}

async function made(conversation: Conversation, { request, streamed }: Task) {
  try {
    const reply = streamed ? await ended(conversation.stream(request)) : await conversation.chat(request);
    return { kind: "", finishReason: reply.finishReason ?? "", cost: costOf(reply) };
  } catch (error) {
    return { kind: kindOf(error), finishReason: "", cost: undefined };
  }
}

async function ended(events: AsyncIterable<StreamResponse>): Promise<StreamResponse> {
  let last: StreamResponse | undefined;
  for await (const event of events) last = event;
  if (!last) throw new Error("the stream has no event");
  return last;
}

function costOf(reply: ChatResponse | StreamResponse): Cost | undefined {
  return reply.$typeName === "llmgateway.v1.ChatResponse" ? reply.cost : reply.receipt?.cost;
}

function kindOf(error: unknown): string {
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  return info?.reason ?? String(error);
}
