/**
 * A mixed workload, sent once to fixed targets and once to wherever it is cheapest, and what the emulator metered of
 * each, at the published prices.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GatewayOptions } from "../../clients/typescript/src/gateway.ts";
import { createGateway } from "../../clients/typescript/src/node.ts";
import type { ChatRequestSchema, StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { mulberry32, type Random } from "../../src/emulator/random.ts";
import { meteredBy, providerOf } from "../money/exchanges.ts";
import { costOf } from "../money/prices.ts";
import { startBoth } from "../support/gateway.ts";

export interface LowCost {
  readonly requests: number;
  readonly fixed: Outcome;
  readonly lowCost: Outcome;
  /** Of what the fixed targets cost, from 0 to 1. */
  readonly saved: number;
}

export interface Outcome {
  /** Calls that were answered to their end. */
  readonly succeeded: number;
  readonly usd: number;
  /** How many requests each model served, as `provider/model`. */
  readonly served: Readonly<Record<string, number>>;
}

type Chat = Exclude<MessageInitShape<typeof ChatRequestSchema>, { $typeName: string; $unknown?: unknown }>;

export interface Task {
  readonly request: Chat;
  readonly streamed: boolean;
}

/** What the task types prefer where nothing else is configured. */
const TASKS = ["text_generation", "summarization", "sentiment_analysis", "question_answering"];
const SEED = 7;
const AT_ONCE = 8;

/** Starts an emulator and a gateway for each round, and takes them down again. */
export async function lowCost(requests = 300): Promise<LowCost> {
  const tasks = workload(requests);
  const fixed = await round(tasks, (index) => ({ taskType: TASKS[index % TASKS.length] ?? "" }));
  const cheapest = await round(tasks, () => ({ preferLowCost: true }));
  return { requests, fixed, lowCost: cheapest, saved: 1 - cheapest.usd / fixed.usd };
}

async function round(tasks: readonly Task[], targeted: (index: number) => Chat): Promise<Outcome> {
  await using both = await startBoth();
  const options: GatewayOptions = { baseUrl: both.url, retry: false };
  const gateway = createGateway(options);
  let succeeded = 0;
  const queue = tasks.entries();
  const worker = async () => {
    for (const [index, { request, streamed }] of queue) {
      const whole = { ...request, ...targeted(index) };
      const { finishReason } = streamed ? await ended(gateway.stream(whole)) : await gateway.chat(whole);
      if (/^(stop|length|tool_calls)$/.test(finishReason)) succeeded++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await both.emulator.meter.ended(tasks.length);
  let pico = 0n;
  const served: Record<string, number> = {};
  for (const exchange of both.emulator.meter.requests) {
    const [provider, model] = [providerOf(exchange), exchange.model];
    const cost = costOf(provider, model, meteredBy([exchange]));
    if (cost === undefined) throw new Error(`the catalog has no price of ${provider}/${model}`);
    pico += cost;
    served[`${provider}/${model}`] = (served[`${provider}/${model}`] ?? 0) + 1;
  }
  return { succeeded, usd: Number(pico) / 1e12, served };
}

async function ended(events: AsyncIterable<StreamResponse>) {
  let last = "";
  for await (const { finishReason = "" } of events) last = finishReason;
  return { finishReason: last };
}

/** The same for the same seed: short questions most of all, and of everything else some. */
export function workload(count: number): Task[] {
  const random = mulberry32(SEED);
  return Array.from({ length: count }, (_, index) => ({
    request: KINDS[Math.floor(random() * KINDS.length)]?.(random, index) ?? {},
    streamed: random() < 0.3,
  }));
}

const WORDS = "the gateway asks one of several providers for an answer and says what it cost".split(" ");

function text(random: Random, words: number): string {
  return Array.from({ length: words }, () => WORDS[Math.floor(random() * WORDS.length)]).join(" ");
}

function asked(random: Random, index: number, words: number): string {
  return `Question ${index}: ${text(random, words)}?`;
}

function short(random: Random, index: number): Chat {
  return { messages: [{ role: "user", content: asked(random, index, 5 + Math.floor(random() * 40)) }] };
}

function long(random: Random, index: number): Chat {
  const document = text(random, 2_000 + Math.floor(random() * 6_000));
  return {
    messages: [
      { role: "system", content: "Answer from the document alone." },
      { role: "user", content: `${document}\n\n${asked(random, index, 12)}` },
    ],
    parameters: { maxTokens: 400 },
  };
}

function withTools(random: Random, index: number): Chat {
  const parametersJson = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}';
  return {
    messages: [{ role: "user", content: `Please call get_weather. ${asked(random, index, 10)}` }],
    tools: [{ name: "get_weather", description: "The weather in a city.", parametersJson }],
  };
}

function withSchema(random: Random, index: number): Chat {
  const schemaJson =
    '{"type":"object","properties":{"mood":{"type":"string"}},"required":["mood"],"additionalProperties":false}';
  return {
    messages: [{ role: "user", content: asked(random, index, 60) }],
    responseFormat: { type: "json_schema", name: "mood", schemaJson },
  };
}

function withImage(random: Random, index: number): Chat {
  const image = { source: { case: "data", value: PIXEL }, mediaType: "image/png" } as const;
  return {
    messages: [
      {
        role: "user",
        parts: [
          { part: { case: "text", value: asked(random, index, 10) } },
          { part: { case: "image", value: image } },
        ],
      },
    ],
  };
}

const KINDS = [short, short, short, long, withTools, withSchema, withImage];
const PIXEL = Uint8Array.from(
  Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  ),
);
