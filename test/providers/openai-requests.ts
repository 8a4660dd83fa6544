/** Canonical requests, each beside the same request written by hand for the official SDK. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ChatCompletionCreateParams,
  ChatCompletionFunctionTool,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";
import type { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Wish } from "../../src/providers/dialect.ts";
import type { OpenAiTraits } from "../../src/providers/openai/traits.ts";
import { CONVERSATIONS } from "./openai-conversations.ts";

export interface RequestPair {
  readonly name: string;
  readonly request: MessageInitShape<typeof ChatRequestSchema>;
  readonly params: ChatCompletionCreateParams;
  readonly wish?: Partial<Wish>;
  readonly traits?: Partial<OpenAiTraits>;
}

type Init = RequestPair["request"];
type Params = Omit<ChatCompletionCreateParams, "model" | "messages" | "stream">;

const model = "gpt-4o";
const hello = [{ role: "user", content: "Hello" }] as const;
const wireHello: ChatCompletionMessageParam[] = [{ role: "user", content: "Hello" }];
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather: ChatCompletionFunctionTool = {
  type: "function",
  function: { name: "get_weather", description: "The weather of a city", parameters: schema },
};
const weatherTool = { name: "get_weather", description: "The weather of a city", parameters: schema };

/** A greeting with something more to it. */
function greeting(name: string, request: Init, params: Params): RequestPair {
  return {
    name,
    request: { messages: [...hello], ...request },
    params: { model, messages: wireHello, ...params },
  };
}

export const REQUESTS: readonly RequestPair[] = [
  ...CONVERSATIONS.map(({ name, messages, wire }) => ({
    name,
    request: { messages },
    params: { model, messages: wire },
  })),
  {
    name: "a free-text tool called with nothing",
    request: {
      messages: [
        ...hello,
        { role: "assistant", parts: [{ part: { case: "toolCall", value: { id: "call_1", name: "sum" } } }] },
      ],
      tools: [{ name: "sum", freeText: {} }],
    },
    params: {
      model,
      messages: [
        ...wireHello,
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "call_1", type: "custom", custom: { name: "sum", input: "" } }],
        },
      ],
      tools: [{ type: "custom", custom: { name: "sum" } }],
    },
  },
  greeting("a tool", { tools: [weatherTool] }, { tools: [weather] }),
  greeting(
    "strict tools, one without arguments, none of which must be called",
    {
      tools: [
        { ...weatherTool, strict: true },
        { name: "stop", strict: false },
      ],
      toolChoice: "none",
    },
    {
      tools: [
        { type: "function", function: { ...weather.function, strict: true } },
        { type: "function", function: { name: "stop", strict: false } },
      ],
      tool_choice: "none",
    },
  ),
  greeting(
    "a tool's schema as text",
    {
      tools: [
        { name: "get_weather", description: "The weather of a city", parametersJson: JSON.stringify(schema) },
      ],
    },
    { tools: [weather] },
  ),
  greeting(
    "free-text tools with grammars, any of which must be called",
    {
      tools: [
        { name: "sum", description: "Adds", freeText: { syntax: "lark", definition: 'start: "1"' } },
        { name: "date", freeText: { syntax: "regex", definition: "\\d+" } },
      ],
      toolChoice: "required",
    },
    {
      tools: [
        {
          type: "custom",
          custom: {
            name: "sum",
            description: "Adds",
            format: { type: "grammar", grammar: { syntax: "lark", definition: 'start: "1"' } },
          },
        },
        {
          type: "custom",
          custom: {
            name: "date",
            format: { type: "grammar", grammar: { syntax: "regex", definition: "\\d+" } },
          },
        },
      ],
      tool_choice: "required",
    },
  ),
  greeting(
    "a tool that must be called",
    { tools: [weatherTool], toolChoice: "get_weather" },
    { tools: [weather], tool_choice: { type: "function", function: { name: "get_weather" } } },
  ),
  greeting(
    "a free-text tool that must be called",
    { tools: [{ name: "sum", freeText: {} }], toolChoice: "sum" },
    {
      tools: [{ type: "custom", custom: { name: "sum" } }],
      tool_choice: { type: "custom", custom: { name: "sum" } },
    },
  ),
  greeting(
    "several tools at once, if it likes",
    { tools: [weatherTool], toolChoice: "auto", parameters: { parallelToolCalls: true } },
    { tools: [weather], tool_choice: "auto", parallel_tool_calls: true },
  ),
  greeting(
    "one tool at a time",
    { tools: [weatherTool], parameters: { parallelToolCalls: false } },
    { tools: [weather], parallel_tool_calls: false },
  ),
  greeting(
    "a JSON schema",
    { responseFormat: { type: "json_schema", name: "place", description: "A place", schema, strict: true } },
    {
      response_format: {
        type: "json_schema",
        json_schema: { name: "place", description: "A place", schema, strict: true },
      },
    },
  ),
  greeting(
    "a JSON schema as text, without a name",
    { responseFormat: { type: "json_schema", schemaJson: JSON.stringify(schema) } },
    { response_format: { type: "json_schema", json_schema: { name: "response", schema } } },
  ),
  greeting(
    "any JSON",
    { responseFormat: { type: "json_object" } },
    { response_format: { type: "json_object" } },
  ),
  greeting("text", { responseFormat: { type: "text" } }, { response_format: { type: "text" } }),
  greeting(
    "all parameters",
    {
      parameters: {
        temperature: 0.7,
        topP: 0.9,
        maxTokens: 1000,
        stop: ["END", "\n"],
        seed: 42n,
        presencePenalty: -0.5,
        frequencyPenalty: 0.5,
        choices: 2,
        reasoningEffort: "low",
      },
    },
    {
      temperature: 0.7,
      top_p: 0.9,
      max_completion_tokens: 1000,
      stop: ["END", "\n"],
      seed: 42,
      presence_penalty: -0.5,
      frequency_penalty: 0.5,
      n: 2,
      reasoning_effort: "low",
    },
  ),
  greeting(
    "parameters that are zero",
    { parameters: { temperature: 0, topP: 0, seed: 0n, presencePenalty: 0, frequencyPenalty: 0 } },
    { temperature: 0, top_p: 0, seed: 0, presence_penalty: 0, frequency_penalty: 0 },
  ),
  greeting(
    "a large negative seed",
    { parameters: { seed: -9007199254740991n } },
    { seed: -9007199254740991 },
  ),
  {
    ...greeting(
      "max_tokens lowered by the gateway",
      { parameters: { maxTokens: 1000 } },
      { max_completion_tokens: 50 },
    ),
    wish: { maxTokens: 50 },
  },
  {
    ...greeting("max_tokens set by the gateway, by its old name", {}, { max_tokens: 50 }),
    wish: { maxTokens: 50 },
    traits: { maxTokensField: "max_tokens" },
  },
  greeting(
    "fields that the contract does not know",
    { extraBody: { service_tier: "flex", logprobs: true, prediction: { type: "content", content: "Hi" } } },
    { service_tier: "flex", logprobs: true, prediction: { type: "content", content: "Hi" } },
  ),
  greeting(
    "what is for the gateway alone",
    {
      metadata: { team: "search" },
      maxCostUsd: 1,
      timeoutMs: 1000,
      model: "openai",
      modelVersion: "gpt-4",
      stream: true,
    },
    {},
  ),
  {
    name: "a stream with usage",
    request: { messages: [...hello] },
    wish: { stream: true },
    params: { model, messages: wireHello, stream: true, stream_options: { include_usage: true } },
  },
  {
    name: "a stream of a provider that does not know stream_options",
    request: { messages: [...hello] },
    wish: { stream: true },
    traits: { streamUsage: false },
    params: { model, messages: wireHello, stream: true },
  },
  {
    name: "a stream with tools and a schema",
    request: {
      messages: [...hello],
      tools: [weatherTool],
      responseFormat: { type: "json_schema", name: "place", schema },
      parameters: { maxTokens: 10, choices: 3 },
    },
    wish: { stream: true },
    params: {
      model,
      messages: wireHello,
      tools: [weather],
      response_format: { type: "json_schema", json_schema: { name: "place", schema } },
      max_completion_tokens: 10,
      n: 3,
      stream: true,
      stream_options: { include_usage: true },
    },
  },
];
