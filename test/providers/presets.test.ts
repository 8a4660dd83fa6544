/** Every preset, by its row alone: what the configuration makes of it, what goes over the wire, and a conversation. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ConfigSchema, type ProviderSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { ChatRequestSchema, type StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { withDefaults } from "../../src/config/defaults.ts";
import { PRESETS, type Preset } from "../../src/providers/presets.ts";
import { createProvider } from "../../src/providers/registry.ts";
import { attemptCallOf } from "../support/call.ts";
import { CALLERS } from "../support/callers.ts";
import { startBoth } from "../support/gateway.ts";
import { answers, scriptedProvider, settingsOf } from "../support/provider.ts";

const KEY = "preset-key-0123456789";
const weather = {
  name: "get_weather",
  parameters: { type: "object", properties: { city: { type: "string" } } },
};

/** As vLLM's are. */
const LONG_ID = `chatcmpl-tool-${"0".repeat(32)}`;

/** Where a server of the test's stands in for the provider. */
function at(origin: string, { baseUrl }: Preset, path = "/openai/v1"): string {
  return origin + (baseUrl ? new URL(baseUrl).pathname : path);
}

describe.each(Object.entries(PRESETS))("%s", (preset, row) => {
  test("serves a chat, a stream and a tool, with its key and at its path", async () => {
    await using both = await startBoth(
      (url) => ({ providers: { one: { preset, base_url: at(url, row), default_model: "some-model" } } }),
      row.apiKeyEnv ? { env: { [row.apiKeyEnv]: KEY }, emulator: { apiKey: KEY } } : {},
    );
    const conversation = CALLERS[0]?.at(both.url);
    const ask = (content: string) => ({
      model: "one",
      messages: [{ role: "user", content }],
      tools: [weather],
    });
    const chat = await conversation?.chat(ask("Hello"));
    expect(chat?.response).toMatch(/^This is the answer/);
    const events: StreamResponse[] = [];
    for await (const event of conversation?.stream(ask("Hello")) ?? []) events.push(event);
    expect(events.map(({ token = "" }) => token).join("")).toBe(chat?.response);
    expect(events.at(-1)?.receipt?.attempts[0]?.usage).toMatchObject({ provenance: "measured" });
    const called = await conversation?.chat(ask("Use get_weather"));
    expect(called?.toolCalls).toMatchObject([{ name: "get_weather" }]);
    const path = new URL(at(both.emulator.url, row)).pathname;
    expect(both.emulator.meter.requests.map((request) => request.path)).toEqual(
      Array(3).fill(`${path}/chat/completions`),
    );
  });

  test("sends what its row says, and nothing of another's", async () => {
    await using server = await scriptedProvider(answers(200, {}));
    await call(server.origin, preset, row);
    const [request] = server.requests;
    const header = row.keyHeader || "authorization";
    const sent = row.keyHeader ? KEY : `Bearer ${KEY}`;
    for (const name of ["authorization", "api-key"])
      expect(request?.headers[name]).toBe(row.apiKeyEnv && name === header ? sent : undefined);
    const body = JSON.parse(request?.body ?? "");
    expect(body).toMatchObject({ model: "some-model", [row.maxTokensField]: 7, stream: true });
    expect("max_tokens" in body && "max_completion_tokens" in body).toBe(false);
    expect(body.stream_options).toEqual(row.streamUsage ? { include_usage: true } : undefined);
    const { developerRole = true, thoughtsField, maxCallIdChars = LONG_ID.length } = row.messages;
    const [instructions, , assistant, result] = body.messages;
    const id = LONG_ID.length > maxCallIdChars ? expect.stringMatching(/^call_[0-9a-f]{32}$/) : LONG_ID;
    expect([assistant.tool_calls[0].id, result.tool_call_id]).toEqual([id, assistant.tool_calls[0].id]);
    expect(instructions.role).toBe(developerRole ? "developer" : "system");
    const thoughts = [assistant.reasoning_content, assistant.reasoning].filter(Boolean);
    expect(thoughts).toEqual(thoughtsField ? ["Hm. So."] : []);
    if (thoughtsField) expect(assistant[thoughtsField]).toBe("Hm. So.");
  });

  test("fills in what the configuration leaves out, and gives way to what it says", () => {
    const { kind, baseUrl, apiKeyEnv, defaultModel, dialect } = completed({ preset });
    const said = { kind, baseUrl, apiKeyEnv, defaultModel, keyHeader: dialect.keyHeader };
    const { baseUrl: url, apiKeyEnv: env, defaultModel: model, keyHeader, maxTokensField } = row;
    expect(said).toEqual({
      kind: "openai_compatible",
      baseUrl: url,
      apiKeyEnv: env,
      defaultModel: model,
      keyHeader,
    });
    expect(dialect).toMatchObject({ maxTokensField, streamUsage: row.streamUsage });
    const given = {
      baseUrl: "http://127.0.0.1:1/v2",
      apiKeyEnv: "MY_KEY",
      defaultModel: "mine",
      dialect: {
        maxTokensField: maxTokensField === "max_tokens" ? "max_completion_tokens" : "max_tokens",
        streamUsage: !row.streamUsage,
        keyHeader: "x-key",
      },
    };
    expect(completed({ preset, ...given })).toMatchObject(given);
  });
});

function completed(one: MessageInitShape<typeof ProviderSchema>) {
  const { providers } = withDefaults(create(ConfigSchema, { providers: { one } }));
  if (!providers.one) throw new Error("no provider");
  return providers.one;
}

async function call(origin: string, preset: string, row: Preset, given: object = {}): Promise<void> {
  const config = completed({ preset, baseUrl: at(origin, row), ...given });
  const provider = createProvider(settingsOf("one", config, row.apiKeyEnv ? [KEY] : []));
  expect(provider.off).toBe("");
  const request = create(ChatRequestSchema, {
    messages: [
      { role: "developer", content: "Be brief." },
      { role: "user", content: "Hello" },
      {
        role: "assistant",
        parts: [
          { part: { case: "reasoning", value: { text: "Hm. " } } },
          { part: { case: "reasoning", value: { text: "So.", signature: "seal" } } },
          { part: { case: "toolCall", value: { id: LONG_ID, name: "look" } } },
        ],
      },
      { role: "tool", parts: [{ part: { case: "toolResult", value: { toolCallId: LONG_ID } } }] },
    ],
    parameters: { maxTokens: 7 },
  });
  const target = { provider: "one", model: "some-model" };
  await provider.serve(attemptCallOf({ request, target, streaming: true })).catch(() => {});
  await provider.close();
}

describe("Azure's paths", () => {
  const { azure } = PRESETS;

  test.each([
    ["/openai/v1", "", "/openai/v1"],
    ["/openai", "api-version=2024-10-21", "/openai/deployments/some-model"],
    ["/openai/deployments/mine", "api-version=2024-10-21", "/openai/deployments/mine"],
  ])("below %s", async (path, query, base) => {
    await using server = await scriptedProvider(answers(200, {}));
    if (!azure) throw new Error("no preset for Azure");
    const given = { baseUrl: server.origin + path, dialect: { query } };
    await call(server.origin, "azure", azure, given);
    const config = completed({ preset: "azure", ...given });
    const provider = createProvider(settingsOf("one", config, [KEY]));
    const target = { provider: "one", model: "some-model" };
    await provider.serve(attemptCallOf({ embed: { input: ["Hello"] }, target })).catch(() => {});
    await provider.close();
    const behind = query ? `?${query}` : "";
    expect(server.requests.map(({ url }) => url)).toEqual([
      `${base}/chat/completions${behind}`,
      `${base}/embeddings${behind}`,
    ]);
  });
});

test("thoughts that DeepSeek and others give are read", async () => {
  for (const field of ["reasoning_content", "reasoning"]) {
    const chunk = { choices: [{ index: 0, delta: { [field]: "Hm" }, finish_reason: "stop" }] };
    await using server = await scriptedProvider(
      (reply) =>
        void reply
          .writeHead(200, { "content-type": "text/event-stream" })
          .end(`data: ${JSON.stringify(chunk)}\n\n`),
    );
    await using both = await startBoth({
      providers: { one: { preset: "vllm", base_url: `${server.origin}/v1` } },
    });
    const { message } = (await CALLERS[0]?.at(both.url).chat({
      model: "one/m",
      messages: [{ role: "user", content: "Hi" }],
    })) ?? { message: undefined };
    expect(message?.parts[0]?.part).toMatchObject({ case: "reasoning", value: { text: "Hm" } });
  }
});
