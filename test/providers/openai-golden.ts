/** What OpenAI's SDK takes for each canonical request, or the field that is refused because OpenAI cannot do it. */
import type {
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionFunctionTool,
  ChatCompletionMessageParam,
} from "openai/resources/chat/completions";
import { type CanonicalName, PDF, PIXEL } from "./canonical.ts";

export type Params = ChatCompletionCreateParamsNonStreaming;
export type Golden = { readonly params: Params } | { readonly refused: string };

export const MODEL = "gpt-4o";

const hello: ChatCompletionMessageParam[] = [{ role: "user", content: "Hello" }];
const weather: ChatCompletionFunctionTool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const clock: ChatCompletionFunctionTool = {
  type: "function",
  function: {
    name: "get_time",
    description: "The time in a zone",
    parameters: { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] },
  },
};
const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};

function params(fields: Partial<Params>): Golden {
  return { params: { model: MODEL, messages: hello, ...fields } };
}

function image(url: string): Golden {
  return params({
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image_url", image_url: { url } },
        ],
      },
    ],
  });
}

export const OPENAI_GOLDEN: Readonly<Record<CanonicalName, Golden>> = {
  "a greeting": params({}),
  "instructions before it": params({
    messages: [
      { role: "system", content: "Be brief." },
      { role: "developer", content: "Answer in French." },
      { role: "user", content: "Hello" },
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
  "an image by value": image(`data:image/png;base64,${PIXEL.toString("base64")}`),
  "an image by URL": image("https://example.com/a.png"),
  "a file by value": params({
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "Sum it up." },
          {
            type: "file",
            file: {
              filename: "report.pdf",
              file_data: `data:application/pdf;base64,${PDF.toString("base64")}`,
            },
          },
        ],
      },
    ],
  }),
  "tools to choose from": params({ tools: [weather, clock], tool_choice: "auto" }),
  "tools, one of which must be called": params({ tools: [weather, clock], tool_choice: "required" }),
  "tools, none of which may be called": params({ tools: [weather], tool_choice: "none" }),
  "a tool that must be called": params({
    tools: [weather, clock],
    tool_choice: { type: "function", function: { name: "get_time" } },
  }),
  "one tool at a time": params({ tools: [weather], tool_choice: "auto", parallel_tool_calls: false }),
  "calls and their results": params({
    messages: [
      { role: "user", content: "Weather in Oslo and Rome?" },
      {
        role: "assistant",
        content: "Let me look.",
        tool_calls: [
          {
            type: "function",
            id: "call_1",
            function: { name: "get_weather", arguments: '{"city":"Oslo"}' },
          },
          {
            type: "function",
            id: "call_2",
            function: { name: "get_weather", arguments: '{"city":"Rome"}' },
          },
        ],
      },
      { role: "tool", tool_call_id: "call_1", content: "rain" },
      { role: "tool", tool_call_id: "call_2", content: "no data" },
    ],
    tools: [weather],
  }),
  "JSON of a schema": params({
    response_format: { type: "json_schema", json_schema: { name: "person", schema: person } },
  }),
  "any JSON": params({ response_format: { type: "json_object" } }),
  "a limit on the answer": params({ max_completion_tokens: 100 }),
  "how it writes": params({
    temperature: 0.5,
    top_p: 0.9,
    stop: ["END", "STOP"],
    max_completion_tokens: 50,
  }),
  "a seed": params({ seed: 7 }),
  "punished repetition": params({ presence_penalty: 0.5, frequency_penalty: 0.25 }),
  "only the likeliest tokens": { refused: "parameters.top_k" },
  "several answers": params({ n: 2 }),
  "an effort to think": params({ reasoning_effort: "low", max_completion_tokens: 4096 }),
  "a budget to think": { refused: "parameters.reasoning_budget_tokens" },
  // Chat completions have no place for thoughts.
  "thoughts sent back": params({
    messages: [
      { role: "user", content: "What is 2 + 2?" },
      { role: "assistant", content: "4" },
      { role: "user", content: "And 3 + 3?" },
    ],
  }),
  // OpenAI caches by itself.
  "marks for the prompt cache": params({
    messages: [
      { role: "system", content: "A long handbook." },
      { role: "user", content: "A question." },
    ],
    tools: [weather],
  }),
  "a service tier": params({ service_tier: "flex" }),
  "fields that only the provider knows": params({ custom_field: { a: 1 } } as Partial<Params>),
};
