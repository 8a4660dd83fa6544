/**
 * The same conversation with a tool at every provider, each in its own wire format, whole and streamed, by the
 * TypeScript and the Go client: the same words, calls and reasons to stop, and a cost that the log agrees with.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { converse, type Turn } from "./conversation.ts";
import { command, DRIVER, go, hasGo, WITHIN_MS } from "./go/go.ts";

const MODELS = [
  "openai/gpt-4o",
  "claude/claude-sonnet-5",
  "gemini/gemini-2.5-flash",
  "mistral/mistral-small-latest",
  "vertex_ai/gemini-2.0-flash",
  "bedrock/amazon.nova-lite-v1:0",
];

const folder = mkdtempSync(join(tmpdir(), "llmgateway-providers-"));
const driver = join(folder, "driver");
const withGo = hasGo();
let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
  if (withGo) await go(DRIVER, ["build", "-o", driver, "."]);
}, WITHIN_MS);
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function converseInGo(url: string, model: string, streaming: boolean): Promise<Turn[]> {
  const scenario = streaming ? "conversation-stream" : "conversation";
  const args = ["--url", url, "--client", "grpc", "--scenario", scenario, "--model", model];
  const line = JSON.parse(await command(driver, folder, args));
  expect(line.ok, line.detail).toBe(true);
  return line.turns.map((turn: Record<string, string>) => ({
    requestId: turn.request_id,
    text: turn.text,
    finishReason: turn.finish_reason,
    tool: turn.tool,
    arguments: turn.arguments,
    provenance: turn.provenance,
    costPicoUsd: turn.cost_pico_usd,
  }));
}

const CLIENTS = [
  { client: "TypeScript", converse },
  ...(withGo ? [{ client: "Go", converse: converseInGo }] : []),
];

describe.each(MODELS)("%s", (model) => {
  describe.each(CLIENTS)("by the $client client", ({ converse }) => {
    test.each([
      ["whole", false],
      ["streamed", true],
    ])("%s", async (_, streaming) => {
      const turns = await converse(both.url, model, streaming);
      expect(turns).toMatchObject([
        { text: "", finishReason: "tool_calls", tool: "get_weather", provenance: "measured" },
        { finishReason: "stop", tool: "", provenance: "measured" },
      ]);
      expect(JSON.parse(turns[0]?.arguments ?? "")).toEqual({ city: "sample city" });
      expect(turns[1]?.text).toMatch(/^This is the answer to "Call get_weather for Paris"\./);
      for (const { requestId, costPicoUsd } of turns) {
        expect(Number(costPicoUsd)).toBeGreaterThan(0);
        expect(String((await both.log.about(requestId)).cost_pico_usd)).toBe(costPicoUsd);
      }
    });
  });
});
