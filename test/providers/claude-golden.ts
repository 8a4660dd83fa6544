/** What Anthropic's SDK takes for each canonical request, or the field that is refused because Claude cannot do it. */
import type { MessageCreateParams, Tool } from "@anthropic-ai/sdk/resources/messages";
import { type CanonicalName, PDF, PIXEL } from "./canonical.ts";

/** The SDK's types have lost the sampling parameters, which older models still take. */
export type Params = MessageCreateParams & {
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
};
export type Golden = { readonly params: Params } | { readonly refused: string };

export const MODEL = "claude-sonnet-5";
/** One that still takes sampling parameters, and thinks by a budget. */
export const OLDER_MODEL = "claude-haiku-4-5";

const hello: MessageCreateParams["messages"] = [{ role: "user", content: "Hello" }];
const weather: Tool = {
  name: "get_weather",
  description: "The weather of a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const clock: Tool = {
  name: "get_time",
  description: "The time in a zone",
  input_schema: { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] },
};
const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};

function params(fields: Partial<Params>, model: string = MODEL): Golden {
  return { params: { model, max_tokens: 4096, messages: hello, ...fields } };
}

export const CLAUDE_GOLDEN: Readonly<Record<CanonicalName, Golden>> = {
  "a greeting": params({}),
  "instructions before it": params({
    system: [
      { type: "text", text: "Be brief." },
      { type: "text", text: "Answer in French." },
    ],
  }),
  "several turns": params({
    messages: [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hello, how can I help?" },
      { role: "user", content: "What is 2 + 2?" },
    ],
  }),
  "text in pieces": params({
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "One" },
          { type: "text", text: "two" },
          { type: "text", text: "three" },
        ],
      },
    ],
  }),
  "an image by value": params({
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          {
            type: "image",
            source: { type: "base64", media_type: "image/png", data: PIXEL.toString("base64") },
          },
        ],
      },
    ],
  }),
  "an image by URL": params({
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
        ],
      },
    ],
  }),
  "a file by value": params({
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "Sum it up." },
          {
            type: "document",
            source: { type: "base64", media_type: "application/pdf", data: PDF.toString("base64") },
            title: "report.pdf",
          },
        ],
      },
    ],
  }),
  "tools to choose from": params({ tools: [weather, clock], tool_choice: { type: "auto" } }),
  "tools, one of which must be called": params({ tools: [weather, clock], tool_choice: { type: "any" } }),
  "tools, none of which may be called": params({ tools: [weather], tool_choice: { type: "none" } }),
  "a tool that must be called": params({
    tools: [weather, clock],
    tool_choice: { type: "tool", name: "get_time" },
  }),
  "one tool at a time": params({
    tools: [weather],
    tool_choice: { type: "auto", disable_parallel_tool_use: true },
  }),
  "calls and their results": params({
    messages: [
      { role: "user", content: "Weather in Oslo and Rome?" },
      {
        role: "assistant",
        content: [
          { type: "text", text: "Let me look." },
          { type: "tool_use", id: "call_1", name: "get_weather", input: { city: "Oslo" } },
          { type: "tool_use", id: "call_2", name: "get_weather", input: { city: "Rome" } },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "call_1", content: "rain" },
          { type: "tool_result", tool_use_id: "call_2", content: "no data", is_error: true },
        ],
      },
    ],
    tools: [weather],
  }),
  "JSON of a schema": params({ output_config: { format: { type: "json_schema", schema: person } } }),
  "any JSON": { refused: "response_format.type" },
  "a limit on the answer": params({ max_tokens: 100 }),
  "how it writes": { refused: "parameters.temperature" },
  "a seed": { refused: "parameters.seed" },
  "punished repetition": { refused: "parameters.presence_penalty" },
  "only the likeliest tokens": { refused: "parameters.top_k" },
  "several answers": { refused: "parameters.choices" },
  "an effort to think": params({ thinking: { type: "adaptive" }, output_config: { effort: "low" } }),
  "a budget to think": { refused: "parameters.reasoning_budget_tokens" },
  "thoughts sent back": params({
    messages: [
      { role: "user", content: "What is 2 + 2?" },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "Two and two.", signature: "c2VhbA==" },
          { type: "text", text: "4" },
        ],
      },
      { role: "user", content: "And 3 + 3?" },
    ],
  }),
  "marks for the prompt cache": params({
    system: [{ type: "text", text: "A long handbook.", cache_control: { type: "ephemeral", ttl: "1h" } }],
    messages: [
      {
        role: "user",
        content: [{ type: "text", text: "A question.", cache_control: { type: "ephemeral" } }],
      },
    ],
    tools: [{ ...weather, cache_control: { type: "ephemeral", ttl: "5m" } }],
  }),
  "a service tier": { refused: "parameters.service_tier" },
  "fields that only the provider knows": params({ custom_field: { a: 1 } } as Partial<Params>),
};

/** Where the older model differs. */
export const OLDER_GOLDEN: Partial<Record<CanonicalName, Golden>> = {
  "how it writes": { refused: "parameters.top_p" },
  "only the likeliest tokens": params({ top_k: 40 }, OLDER_MODEL),
  "an effort to think": params({ thinking: { type: "enabled", budget_tokens: 1024 } }, OLDER_MODEL),
  "a budget to think": params({ thinking: { type: "enabled", budget_tokens: 2048 } }, OLDER_MODEL),
};
