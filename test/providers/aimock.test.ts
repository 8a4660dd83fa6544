/** A second opinion on OpenAI's wire format: a mock that others wrote, behind the real adapter. */
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const aimock = new LLMock({ port: 0 });
let both: GatewayUnderTest;

beforeAll(async () => {
  aimock.onMessage("hello", { content: "Hello from somebody else's mock." });
  aimock.onMessage("weather", { toolCalls: [{ name: "get_weather", arguments: '{"city":"Paris"}' }] });
  await aimock.start();
  both = await startBoth({
    providers: { aimock: { kind: "openai_compatible", base_url: `${aimock.url}/v1`, prices: "openai" } },
  });
});

afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await aimock.stop();
});

const post = (path: string, content: string) =>
  fetch(`${both.url}/v1/gateway/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      messages: [{ role: "user", content }],
      model: "aimock/gpt-4o",
      tools: [{ name: "get_weather", parameters: { type: "object" } }],
    }),
  });

const chat = async (content: string) => (await (await post("chat", content)).json()) as ChatResponseJson;

interface ChatResponseJson {
  readonly response: string;
  readonly finish_reason: string;
  readonly tool_calls: readonly object[];
  readonly cost: { readonly actual_usd: number };
}

test("a chat is decoded and priced", async () => {
  const reply = await chat("hello");
  expect(reply.response).toBe("Hello from somebody else's mock.");
  expect(reply.cost.actual_usd).toBeGreaterThan(0);
});

test("a stream says the same as the chat", async () => {
  const events = (await (await post("stream", "hello")).text())
    .split("\n\n")
    .filter(Boolean)
    .map((frame) => JSON.parse(frame.replace("data: ", "")));
  expect(events.map(({ token = "" }) => token).join("")).toBe("Hello from somebody else's mock.");
  expect(events.at(-1)).toMatchObject({ done: true, finish_reason: "stop" });
});

test("a tool call keeps its name and its arguments", async () => {
  const reply = await chat("weather");
  expect(reply.tool_calls).toMatchObject([{ name: "get_weather", arguments: '{"city":"Paris"}' }]);
  expect(reply.finish_reason).toBe("tool_calls");
});
