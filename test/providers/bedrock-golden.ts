/** The canonical requests as they are written for the official SDK, or the field that Bedrock's models cannot be told. */
import type { ConverseCommandInput, InvokeModelCommandInput } from "@aws-sdk/client-bedrock-runtime";
import { type CanonicalName, PDF, PIXEL } from "./canonical.ts";

export type Golden =
  | { readonly params: ConverseCommandInput | InvokeModelCommandInput }
  | { readonly refused: string };

export const MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
export const NOVA = "us.amazon.nova-2-lite-v1:0";

const hello: ConverseCommandInput["messages"] = [{ role: "user", content: [{ text: "Hello" }] }];
const weatherSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const weather = {
  toolSpec: {
    name: "get_weather",
    description: "The weather of a city",
    inputSchema: { json: weatherSchema },
  },
};
const clock = {
  toolSpec: {
    name: "get_time",
    description: "The time in a zone",
    inputSchema: {
      json: { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] },
    },
  },
};
const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};

function params(fields: Partial<ConverseCommandInput>, modelId: string = MODEL): Golden {
  return { params: { modelId, messages: hello, ...fields } };
}

/** In Claude's own format. */
function invoke(body: object): Golden {
  const whole = { anthropic_version: "bedrock-2023-05-31", max_tokens: 4096, ...body };
  return {
    params: { modelId: MODEL, contentType: "application/json", body: Buffer.from(JSON.stringify(whole)) },
  };
}

export const BEDROCK_GOLDEN: Readonly<Record<CanonicalName, Golden>> = {
  "a greeting": params({}),
  "instructions before it": params({ system: [{ text: "Be brief." }, { text: "Answer in French." }] }),
  "several turns": params({
    messages: [
      { role: "user", content: [{ text: "Hello" }] },
      { role: "assistant", content: [{ text: "Hello, how can I help?" }] },
      { role: "user", content: [{ text: "What is 2 + 2?" }] },
    ],
  }),
  "text in pieces": params({
    messages: [{ role: "user", content: [{ text: "One" }, { text: "two" }, { text: "three" }] }],
  }),
  "an image by value": params({
    messages: [
      {
        role: "user",
        content: [{ text: "What is this?" }, { image: { format: "png", source: { bytes: PIXEL } } }],
      },
    ],
  }),
  "an image by URL": { refused: "messages[0].parts[0].image.url" },
  "a file by value": params({
    messages: [
      {
        role: "user",
        content: [
          { text: "Sum it up." },
          { document: { format: "pdf", name: "report", source: { bytes: PDF } } },
        ],
      },
    ],
  }),
  "tools to choose from": params({ toolConfig: { tools: [weather, clock], toolChoice: { auto: {} } } }),
  "tools, one of which must be called": params({
    toolConfig: { tools: [weather, clock], toolChoice: { any: {} } },
  }),
  "tools, none of which may be called": invoke({
    messages: [{ role: "user", content: "Hello" }],
    tools: [{ name: "get_weather", description: "The weather of a city", input_schema: weatherSchema }],
    tool_choice: { type: "none" },
  }),
  "a tool that must be called": params({
    toolConfig: { tools: [weather, clock], toolChoice: { tool: { name: "get_time" } } },
  }),
  "one tool at a time": invoke({
    messages: [{ role: "user", content: "Hello" }],
    tools: [{ name: "get_weather", description: "The weather of a city", input_schema: weatherSchema }],
    tool_choice: { type: "auto", disable_parallel_tool_use: true },
  }),
  "calls and their results": params({
    messages: [
      { role: "user", content: [{ text: "Weather in Oslo and Rome?" }] },
      {
        role: "assistant",
        content: [
          { text: "Let me look." },
          { toolUse: { toolUseId: "call_1", name: "get_weather", input: { city: "Oslo" } } },
          { toolUse: { toolUseId: "call_2", name: "get_weather", input: { city: "Rome" } } },
        ],
      },
      {
        role: "user",
        content: [
          { toolResult: { toolUseId: "call_1", content: [{ text: "rain" }] } },
          { toolResult: { toolUseId: "call_2", content: [{ text: "no data" }], status: "error" } },
        ],
      },
    ],
    toolConfig: { tools: [weather] },
  }),
  "JSON of a schema": params({
    outputConfig: {
      textFormat: {
        type: "json_schema",
        structure: { jsonSchema: { name: "person", schema: JSON.stringify(person) } },
      },
    },
  }),
  "any JSON": { refused: "response_format.type" },
  "a limit on the answer": params({ inferenceConfig: { maxTokens: 100 } }),
  "how it writes": params({
    inferenceConfig: { temperature: 0.5, topP: 0.9, stopSequences: ["END", "STOP"], maxTokens: 50 },
  }),
  "a seed": { refused: "parameters.seed" },
  "punished repetition": { refused: "parameters.presence_penalty" },
  "only the likeliest tokens": params({ additionalModelRequestFields: { top_k: 40 } }),
  "several answers": { refused: "parameters.choices" },
  "an effort to think": params({
    inferenceConfig: { maxTokens: 4096 },
    additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 1024 } },
  }),
  "a budget to think": params({
    inferenceConfig: { maxTokens: 4096 },
    additionalModelRequestFields: { thinking: { type: "enabled", budget_tokens: 2048 } },
  }),
  "thoughts sent back": params({
    messages: [
      { role: "user", content: [{ text: "What is 2 + 2?" }] },
      {
        role: "assistant",
        content: [
          { reasoningContent: { reasoningText: { text: "Two and two.", signature: "c2VhbA==" } } },
          { text: "4" },
        ],
      },
      { role: "user", content: [{ text: "And 3 + 3?" }] },
    ],
  }),
  "marks for the prompt cache": params({
    system: [{ text: "A long handbook." }, { cachePoint: { type: "default", ttl: "1h" } }],
    messages: [{ role: "user", content: [{ text: "A question." }, { cachePoint: { type: "default" } }] }],
    toolConfig: { tools: [weather, { cachePoint: { type: "default", ttl: "5m" } }] },
  }),
  "a service tier": params({ serviceTier: { type: "flex" } }),
  "fields that only the provider knows": params({ custom_field: { a: 1 } } as Partial<ConverseCommandInput>),
};

/** Where Nova differs. */
export const NOVA_GOLDEN: Partial<Record<CanonicalName, Golden>> = {
  "tools, none of which may be called": params({}, NOVA),
  "one tool at a time": { refused: "parameters.parallel_tool_calls" },
  "only the likeliest tokens": params(
    { additionalModelRequestFields: { inferenceConfig: { topK: 40 } } },
    NOVA,
  ),
  "an effort to think": params(
    {
      inferenceConfig: { maxTokens: 4096 },
      additionalModelRequestFields: { reasoningConfig: { type: "enabled", maxReasoningEffort: "low" } },
    },
    NOVA,
  ),
  "a budget to think": { refused: "parameters.reasoning_budget_tokens" },
};
