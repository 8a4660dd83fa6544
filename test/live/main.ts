/**
 * `npm run test:live`, by hand: a chat, a stream and a tool call at every real provider that has credentials, through
 * the gateway, for a few cents. Prints what each call cost; the exit status is 1 when one failed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createGateway,
  type Gateway,
  GatewayError,
  type Receipt,
} from "../../clients/typescript/src/node.ts";
import { startGateway } from "../../src/gateway.ts";

/** A call that would cost more is refused by the gateway. */
const MAX_COST_USD = 0.02;
/** Models that think need room for it. */
const MAX_TOKENS = 1024;

const QUESTION = [{ role: "user", content: "Answer with the one word: pong" }];
const WEATHER = {
  name: "get_weather",
  description: "The weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

type Told = Pick<Receipt, "cost" | "attempts">;
/** Gives what was said, and what it cost. */
type Trial = (gateway: Gateway, model: string) => Promise<{ said: string; told: Told }>;

const TRIALS: Readonly<Record<string, Trial>> = {
  async chat(gateway, model) {
    const reply = await gateway.chat(ask(model));
    if (!reply.response) throw new Error("it said nothing");
    return { said: reply.response, told: reply };
  },
  async stream(gateway, model) {
    const stream = gateway.stream(ask(model));
    const said = await stream.text();
    if (!said) throw new Error("it said nothing");
    return { said, told: await stream.receipt };
  },
  async tool(gateway, model) {
    const messages = [{ role: "user", content: "What is the weather in Oslo? Use get_weather." }];
    const reply = await gateway.chat({ ...ask(model), messages, tools: [WEATHER] });
    const [call] = reply.toolCalls;
    if (call?.name !== WEATHER.name) throw new Error(`it called no tool, but said: ${reply.response}`);
    JSON.parse(call.arguments);
    return { said: `${call.name}(${call.arguments})`, told: reply };
  },
};

function ask(model: string) {
  return { model, messages: QUESTION, maxCostUsd: MAX_COST_USD, parameters: { maxTokens: MAX_TOKENS } };
}

const folder = mkdtempSync(join(tmpdir(), "llmgateway-live-"));
const env = { ...process.env, PORT: "0", LOG_LEVEL: "silent", LLMGATEWAY_DATA_DIR: join(folder, "data") };
const server = await startGateway({ file: process.env.LLMGATEWAY_CONFIG || undefined, env });
const gateway = createGateway({ baseUrl: server.url, retry: false });
const { providers } = await gateway.getStatus();
let spentUsd = 0;
let failed = 0;
let passed = 0;
for (const { name, kind, status, reason, defaultModel } of providers) {
  if (kind === "mock") continue;
  if (status === "off" || !defaultModel) {
    print(name, "not tried", status === "off" ? reason : "it has no default_model");
    continue;
  }
  for (const [trial, run] of Object.entries(TRIALS)) await attempt(name, trial, run);
}
await server.close();
rmSync(folder, { recursive: true });
process.stdout.write(`\nspent $${spentUsd.toFixed(6)}\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 ? 1 : 0;

async function attempt(name: string, trial: string, run: Trial): Promise<void> {
  try {
    const { said, told } = await run(gateway, name);
    const { provenance = "", actualUsd, inputTokens = 0, outputTokens = 0 } = told.cost ?? {};
    spentUsd += actualUsd ?? 0;
    passed++;
    const served = told.attempts.at(-1)?.servedModel ?? "";
    const cost = actualUsd === undefined ? "at an unknown price" : `$${actualUsd.toFixed(6)}`;
    print(name, trial, `${inputTokens} in, ${outputTokens} out, ${cost} (${provenance}) ${served}: ${said}`);
  } catch (error) {
    failed++;
    if (error instanceof GatewayError) spentUsd += error.costUsd ?? 0;
    print(name, trial, `FAILED: ${error instanceof Error ? error.message : error}`);
  }
}

function print(name: string, trial: string, text: string): void {
  process.stdout.write(
    `${`${name.padEnd(18)}${trial.padEnd(10)}`.trimEnd()} ${text.replaceAll("\n", " ")}\n`,
  );
}
