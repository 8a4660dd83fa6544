/** A second opinion on the wire formats of all but Mistral: a mock that others wrote, behind the real adapters. */
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const aimock = new LLMock({ port: 0 });
let both: GatewayUnderTest;

beforeAll(async () => {
  aimock.onMessage("hello", { content: "Hello from somebody else's mock." });
  aimock.onMessage("weather", { toolCalls: [{ name: "get_weather", arguments: '{"city":"Paris"}' }] });
  await aimock.start();
  both = await startBoth({
    providers: {
      aimock: { kind: "openai_compatible", base_url: `${aimock.url}/v1`, prices: "openai" },
      claude: { base_url: aimock.url },
      bedrock: { base_url: aimock.url, region: "us-east-1" },
      gemini: { base_url: `${aimock.url}/v1beta` },
      vertex_ai: { base_url: aimock.url, project: "p", api_key_env: "VERTEX_AI_TOKEN" },
    },
  });
});

afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await aimock.stop();
});

const tools = [{ name: "get_weather", parameters: { type: "object" } }];

const post = (path: string, request: object) =>
  fetch(`${both.url}/v1/gateway/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "aimock/gpt-4o", tools, ...request }),
  });

const saying = (content: string) => ({ messages: [{ role: "user", content }] });
const chat = async (request: object) => (await (await post("chat", request)).json()) as ChatResponseJson;

async function stream(request: object): Promise<{ token?: string }[]> {
  const frames = (await (await post("stream", request)).text()).split("\n\n").filter(Boolean);
  return frames.map((frame) => JSON.parse(frame.replace("data: ", "")));
}

interface ChatResponseJson {
  readonly response: string;
  readonly finish_reason: string;
  readonly tool_calls: readonly { readonly id: string }[];
  readonly message: object;
  readonly cost: { readonly actual_usd: number };
}

test("a chat is decoded and priced", async () => {
  const reply = await chat(saying("hello"));
  expect(reply.response).toBe("Hello from somebody else's mock.");
  expect(reply.cost.actual_usd).toBeGreaterThan(0);
});

test("a stream says the same as the chat", async () => {
  const events = await stream(saying("hello"));
  expect(events.map(({ token = "" }) => token).join("")).toBe("Hello from somebody else's mock.");
  expect(events.at(-1)).toMatchObject({ done: true, finish_reason: "stop" });
});

test("a tool call keeps its name and its arguments", async () => {
  const reply = await chat(saying("weather"));
  expect(reply.tool_calls).toMatchObject([{ name: "get_weather", arguments: '{"city":"Paris"}' }]);
  expect(reply.finish_reason).toBe("tool_calls");
});

describe.each([
  ["claude", "tool_calls"],
  ["bedrock", "tool_calls"],
  // A reason of the mock's own, which Google does not have.
  ["gemini", "function_call"],
  ["vertex_ai", "function_call"],
])("%s", (model, finishReason) => {
  const question = { role: "user", content: "weather" };

  test("is asked, calls a tool, and answers its result", async () => {
    const first = await chat({ model, messages: [question] });
    expect(first.finish_reason).toBe(finishReason);
    expect(first.tool_calls).toMatchObject([{ name: "get_weather", arguments: '{"city":"Paris"}' }]);
    const tool_call_id = first.tool_calls[0]?.id;
    const result = { role: "tool", parts: [{ tool_result: { tool_call_id, content: "Sun" } }] };
    const messages = [question, first.message, result, { role: "user", content: "hello" }];
    const second = await chat({ model, messages });
    expect(second).toMatchObject({ response: "Hello from somebody else's mock.", finish_reason: "stop" });
  });

  test("says the same in a stream", async () => {
    const events = await stream({ model, ...saying("hello") });
    expect(events.map(({ token = "" }) => token).join("")).toBe("Hello from somebody else's mock.");
    expect(events.at(-1)).toMatchObject({ done: true, finish_reason: "stop" });
  });
});
