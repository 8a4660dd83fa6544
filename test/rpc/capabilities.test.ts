/** What a model cannot do, through the whole gateway and the catalog that comes with it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";
import { scriptedProvider } from "../support/provider.ts";
import { readEvents } from "../support/sse.ts";

const IMAGE = { image: { url: "https://example.com/a.png" } };

let both: GatewayUnderTest;
let upstream: Awaited<ReturnType<typeof scriptedProvider>>;
beforeAll(async () => {
  upstream = await scriptedProvider((reply) => {
    const message = { role: "assistant", content: "Hi" };
    const json = { choices: [{ index: 0, message, finish_reason: "stop" }], model: "gpt-4o" };
    reply.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(json));
  });
  const base = { kind: "openai_compatible", base_url: upstream.origin, prices: "openai" };
  both = await startBoth({
    providers: {
      strict: base,
      lenient: { ...base, unsupported: "drop", models: ["o3-mini", "o4-mini", "gpt-4o"] },
    },
  });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

async function chat(model: string, more: object, path = "/v1/gateway/chat") {
  const body = { messages: [{ role: "user", content: "Hello" }], model, ...more };
  const reply = await http1(both.url + path, JSON.stringify(body));
  const json = path.endsWith("/chat") ? JSON.parse(await reply.text()) : undefined;
  return { status: reply.status, json, reply };
}

describe("refuses", () => {
  test("an image for a model without vision, and names one that has it", async () => {
    const asked = upstream.requests.length;
    const { status, json } = await chat("lenient/o3-mini", {
      messages: [{ role: "user", parts: [IMAGE] }],
    });
    expect(status).toBe(400);
    expect(json).toMatchObject({
      code: "invalid_argument",
      message:
        "messages[0].parts[0].image: lenient/o3-mini does not look at images; choose a model with vision, such as o4-mini",
    });
    expect(upstream.requests).toHaveLength(asked);
  });

  test.each(["openai", "gemini", "mistral", "vertex_ai", "bedrock", "mock"])(
    "a chat with %s's model for embeddings, and embeddings by the one that chats",
    async (name) => {
      const { defaultModel, defaultEmbeddingModel } = both.gateway.config.providers[name] ?? {};
      const asked = both.emulator.meter.requests.length;
      const { status, json } = await chat(`${name}/${defaultEmbeddingModel}`, {});
      expect(status).toBe(400);
      expect(json.message).toBe(
        `model: ${name}/${defaultEmbeddingModel} answers no chat; choose a model that chats, such as ${defaultModel}`,
      );
      const wish = { input: ["Hello"], model: `${name}/${defaultModel}` };
      const reply = await http1(`${both.url}/v1/gateway/embeddings`, JSON.stringify(wish));
      expect(reply.status).toBe(400);
      expect(JSON.parse(await reply.text()).message).toBe(
        `model: ${name}/${defaultModel} makes no embeddings; choose a model that does, such as ${defaultEmbeddingModel}`,
      );
      expect(both.emulator.meter.requests).toHaveLength(asked);
    },
  );

  test("more tokens than a model writes", async () => {
    const long = await chat("strict/gpt-4o", { parameters: { max_tokens: 16_385 } });
    expect(long.json.message).toMatch(/^parameters.max_tokens: strict\/gpt-4o writes 16384 tokens at most/);
  });

  test("what the wire format has no place for, where nothing else is configured", async () => {
    const { status, json } = await chat("strict/gpt-4o", { parameters: { top_k: 3 } });
    expect(status).toBe(400);
    expect(json.message).toMatch(/^parameters.top_k: /);
  });
});

describe("drops, and says so in the reply,", () => {
  test("what the wire format has no place for", async () => {
    const { status, json } = await chat("lenient/gpt-4o", { parameters: { seed: 7, top_k: 3 } });
    expect(status).toBe(200);
    expect(json.dropped).toEqual(["parameters.top_k"]);
    expect(json.attempts).toHaveLength(1);
    expect(JSON.parse(upstream.requests.at(-1)?.body ?? "")).toMatchObject({ seed: 7 });
    expect(upstream.requests.at(-1)?.body).not.toContain("top_k");
  });

  test("what the model is known not to do", async () => {
    const { status, json } = await chat("lenient/o3-mini", { parameters: { parallel_tool_calls: true } });
    expect(status).toBe(200);
    expect(json.dropped).toEqual(["parameters.parallel_tool_calls"]);
    expect(upstream.requests.at(-1)?.body).not.toContain("parallel_tool_calls");
  });

  test("in the receipt of a stream", async () => {
    const { reply } = await chat("lenient/gpt-4o", { parameters: { top_k: 3 } }, "/v1/gateway/stream");
    const data = [];
    for await (const event of readEvents(reply.pieces)) if (event.data) data.push(JSON.parse(event.data));
    expect(data.at(-1)).toMatchObject({ done: true, receipt: { dropped: ["parameters.top_k"] } });
  });
});

test("models are listed with what they can do, and embeddings without a price for output", async () => {
  const reply = await fetch(`${both.url}/v1/gateway/models?provider=strict`);
  const { models } = JSON.parse(await reply.text());
  const of = (name: string) => models.find(({ model }: { model: string }) => model === name);
  expect(of("gpt-4o").capabilities).toMatchObject({ chat: true, tools: true, vision: true });
  expect(of("o3-mini").capabilities).toMatchObject({ vision: false, parallel_tool_calls: false });
  expect(of("text-embedding-3-small").capabilities).toMatchObject({ chat: false, embeddings: true });
  expect(of("text-embedding-3-small").input_per_1k_tokens).toBe(0.00002);
  expect(of("text-embedding-3-small")).not.toHaveProperty("output_per_1k_tokens");
});
