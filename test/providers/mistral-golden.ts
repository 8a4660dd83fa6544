/** What Mistral's SDK takes for each canonical request, or the field that is refused because Mistral cannot do it. */
import type { ChatCompletionRequest } from "@mistralai/mistralai/models/components";
import { type CanonicalName, PDF, PIXEL } from "./canonical.ts";

export type Params = ChatCompletionRequest & {
  /** What the SDK does not know; added to the body that it sent. */
  readonly beyondSdk?: object;
};
export type Golden = { readonly params: Params } | { readonly refused: string };

export const MODEL = "mistral-small-latest";

const hello: ChatCompletionRequest["messages"] = [{ role: "user", content: "Hello" }];
const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const clock = {
  type: "function" as const,
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
          { type: "image_url", imageUrl: { url } },
        ],
      },
    ],
  });
}

export const MISTRAL_GOLDEN: Readonly<Record<CanonicalName, Golden>> = {
  "a greeting": params({}),
  "instructions before it": params({
    messages: [
      { role: "system", content: "Be brief." },
      { role: "system", content: "Answer in French." },
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
            type: "document_url",
            documentUrl: `data:application/pdf;base64,${PDF.toString("base64")}`,
            documentName: "report.pdf",
          },
        ],
      },
    ],
  }),
  "tools to choose from": params({ tools: [weather, clock], toolChoice: "auto" }),
  "tools, one of which must be called": params({ tools: [weather, clock], toolChoice: "any" }),
  "tools, none of which may be called": params({ tools: [weather], toolChoice: "none" }),
  "a tool that must be called": params({
    tools: [weather, clock],
    toolChoice: { type: "function", function: { name: "get_time" } },
  }),
  "one tool at a time": params({ tools: [weather], toolChoice: "auto", parallelToolCalls: false }),
  "calls and their results": params({
    messages: [
      { role: "user", content: "Weather in Oslo and Rome?" },
      {
        role: "assistant",
        content: "Let me look.",
        toolCalls: [
          { id: "2ZxtuOiTe", index: 0, function: { name: "get_weather", arguments: '{"city":"Oslo"}' } },
          { id: "bqABnGy05", index: 1, function: { name: "get_weather", arguments: '{"city":"Rome"}' } },
        ],
      },
      { role: "tool", toolCallId: "2ZxtuOiTe", content: "rain" },
      { role: "tool", toolCallId: "bqABnGy05", content: "no data" },
    ],
    tools: [weather],
  }),
  "JSON of a schema": params({
    responseFormat: { type: "json_schema", jsonSchema: { name: "person", schemaDefinition: person } },
  }),
  "any JSON": params({ responseFormat: { type: "json_object" } }),
  "a limit on the answer": params({ maxTokens: 100 }),
  "how it writes": params({ temperature: 0.5, topP: 0.9, stop: ["END", "STOP"], maxTokens: 50 }),
  "a seed": params({ randomSeed: 7 }),
  "punished repetition": params({ presencePenalty: 0.5, frequencyPenalty: 0.25 }),
  "only the likeliest tokens": { refused: "parameters.top_k" },
  "several answers": params({ n: 2 }),
  "an effort to think": params({ reasoningEffort: "low", maxTokens: 4096 }),
  "a budget to think": { refused: "parameters.reasoning_budget_tokens" },
  "thoughts sent back": params({
    messages: [
      { role: "user", content: "What is 2 + 2?" },
      {
        role: "assistant",
        content: [
          {
            type: "thinking",
            thinking: [{ type: "text", text: "Two and two." }],
            signature: "c2VhbA==",
            closed: true,
          },
          { type: "text", text: "4" },
        ],
      },
      { role: "user", content: "And 3 + 3?" },
    ],
  }),
  "marks for the prompt cache": params({
    messages: [
      { role: "system", content: "A long handbook." },
      { role: "user", content: "A question." },
    ],
    tools: [weather],
  }),
  "a service tier": { refused: "parameters.service_tier" },
  "fields that only the provider knows": params({ beyondSdk: { custom_field: { a: 1 } } }),
};
