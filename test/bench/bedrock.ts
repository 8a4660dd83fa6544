/** `node test/bench/bedrock.ts`: the CPU of what the gateway does for Bedrock alone, beside the same for OpenAI. */
import { create } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { bedrockDialect } from "../../src/providers/bedrock/dialect.ts";
import { Signer } from "../../src/providers/bedrock/sigv4.ts";
import type { Dialect } from "../../src/providers/dialect.ts";
import { openaiDialect } from "../../src/providers/openai/dialect.ts";
import { EventStreamReader } from "../../src/wire/eventstream.ts";
import { SseReader } from "../../src/wire/sse.ts";
import { eventMessage } from "../support/eventstream.ts";

const WARM_UP = 5_000;
const RUNS = 50_000;
const CHUNKS = 500;
const WORDS = "The gateway says what each call costs. ".repeat(6);

/** 0.5 kB, as in the other benchmarks. */
const request = create(ChatRequestSchema, {
  messages: [
    { role: "system", content: "You answer in few words. ".repeat(6) },
    { role: "user", content: "What does a gateway for language models do? ".repeat(6) },
  ],
  parameters: { maxTokens: 200 },
});
const identity = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret", sessionToken: "t".repeat(600) };
const signer = new Signer(identity, {
  host: "bedrock-runtime.us-east-1.amazonaws.com",
  region: "us-east-1",
  service: "bedrock",
});

const bedrock = bedrockDialect();
const openai = openaiDialect({ maxTokensField: "max_completion_tokens", streamUsage: true });

const usage = { inputTokens: 120, outputTokens: 100, totalTokens: 220 };
const reply = JSON.stringify({
  metrics: { latencyMs: 500 },
  output: { message: { content: [{ text: WORDS }], role: "assistant" } },
  stopReason: "end_turn",
  usage,
});
const openaiReply = JSON.stringify({
  id: "chatcmpl-bench",
  model: "gpt-4o",
  choices: [
    { index: 0, message: { role: "assistant", content: WORDS, refusal: null }, finish_reason: "stop" },
  ],
  usage: { prompt_tokens: 120, completion_tokens: 100, total_tokens: 220 },
});

const p = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJK";
const stream = Buffer.concat([
  eventMessage("messageStart", { role: "assistant", p }),
  ...Array.from({ length: CHUNKS }, () =>
    eventMessage("contentBlockDelta", { contentBlockIndex: 0, delta: { text: " token" }, p }),
  ),
  eventMessage("contentBlockStop", { contentBlockIndex: 0, p }),
  eventMessage("messageStop", { stopReason: "end_turn", p }),
  eventMessage("metadata", { usage, metrics: { latencyMs: 500 }, p }),
]);
const openaiChunk = {
  id: "chatcmpl-bench",
  object: "chat.completion.chunk",
  model: "gpt-4o",
  obfuscation: p,
};
const openaiStream = Buffer.from(
  [
    ...Array.from({ length: CHUNKS }, () => ({
      ...openaiChunk,
      choices: [{ index: 0, delta: { content: " token" }, logprobs: null, finish_reason: null }],
    })),
    { ...openaiChunk, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  ]
    .map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`)
    .join(""),
);

measure("bedrock: encode", () => encode(bedrock, "us.amazon.nova-lite-v1:0"));
measure("bedrock: sign", () => signer.sign("/model/us.amazon.nova-lite-v1%3A0/converse", reply, Date.now()));
measure("bedrock: decode a whole reply", () => bedrock.decodeReply(reply, {}));
measure("openai: encode", () => encode(openai, "gpt-4o"));
measure("openai: decode a whole reply", () => openai.decodeReply(openaiReply, {}));
measure(
  "bedrock: frame and decode a chunk",
  () => decodeAll(bedrock, new EventStreamReader(), stream),
  CHUNKS,
);
measure("openai: frame and decode a chunk", () => decodeAll(openai, new SseReader(), openaiStream), CHUNKS);

function encode(dialect: Dialect, model: string): void {
  dialect.encode(request, { model, stream: false, maxTokens: undefined });
}

/** In pieces as a socket would bring them. */
function decodeAll(dialect: Dialect, frames: SseReader | EventStreamReader, bytes: Buffer): void {
  const decoder = dialect.decodeStream({});
  for (let at = 0; at < bytes.length; at += 16_384)
    for (const data of frames.push(bytes.subarray(at, at + 16_384))) decoder.push(data);
}

function measure(name: string, act: () => unknown, units = 1): void {
  for (let i = 0; i < WARM_UP / units; i++) act();
  const runs = Math.ceil(RUNS / units) * 4;
  const before = process.cpuUsage();
  for (let i = 0; i < runs; i++) act();
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(`${name}: ${((user + system) / (runs * units)).toFixed(2)} µs\n`);
}
