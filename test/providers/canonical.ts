/**
 * Requests that every provider is measured by. For each of them a provider's test has what its official SDK takes for
 * the same, or which field is refused because the provider cannot do it.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";

type Init = Exclude<MessageInitShape<typeof ChatRequestSchema>, { readonly $typeName: string }>;

const hello: Init["messages"] = [{ role: "user", content: "Hello" }];
const weather = {
  name: "get_weather",
  description: "The weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const clock = {
  name: "get_time",
  description: "The time in a zone",
  parameters: { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] },
};
const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};
/** The smallest PNG that there is. */
export const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);
export const PDF = Buffer.from("%PDF-1.4\n%%EOF\n");

export const CANONICAL = {
  "a greeting": { messages: hello },
  "instructions before it": {
    messages: [
      { role: "system", content: "Be brief." },
      { role: "developer", content: "Answer in French." },
      { role: "user", content: "Hello" },
    ],
  },
  "several turns": {
    messages: [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "Hello, how can I help?" },
      { role: "user", content: "What is 2 + 2?" },
    ],
  },
  "text in pieces": {
    messages: [
      {
        role: "user",
        content: "One",
        parts: [{ part: { case: "text", value: "two" } }, { part: { case: "text", value: "three" } }],
      },
    ],
  },
  "an image by value": {
    messages: [
      {
        role: "user",
        content: "What is this?",
        parts: [
          {
            part: {
              case: "image",
              value: { source: { case: "data", value: PIXEL }, mediaType: "image/png" },
            },
          },
        ],
      },
    ],
  },
  "an image by URL": {
    messages: [
      {
        role: "user",
        content: "What is this?",
        parts: [
          {
            part: {
              case: "image",
              value: { source: { case: "url", value: "https://example.com/a.png" }, mediaType: "image/png" },
            },
          },
        ],
      },
    ],
  },
  "a file by value": {
    messages: [
      {
        role: "user",
        content: "Sum it up.",
        parts: [
          {
            part: {
              case: "file",
              value: {
                source: { case: "data", value: PDF },
                mediaType: "application/pdf",
                name: "report.pdf",
              },
            },
          },
        ],
      },
    ],
  },
  "tools to choose from": { messages: hello, tools: [weather, clock], toolChoice: "auto" },
  "tools, one of which must be called": { messages: hello, tools: [weather, clock], toolChoice: "required" },
  "tools, none of which may be called": { messages: hello, tools: [weather], toolChoice: "none" },
  "a tool that must be called": { messages: hello, tools: [weather, clock], toolChoice: "get_time" },
  "one tool at a time": {
    messages: hello,
    tools: [weather],
    toolChoice: "auto",
    parameters: { parallelToolCalls: false },
  },
  "calls and their results": {
    messages: [
      { role: "user", content: "Weather in Oslo and Rome?" },
      {
        role: "assistant",
        content: "Let me look.",
        parts: [
          {
            part: {
              case: "toolCall",
              value: { id: "call_1", name: "get_weather", arguments: '{"city":"Oslo"}' },
            },
          },
          {
            part: {
              case: "toolCall",
              value: { id: "call_2", name: "get_weather", arguments: '{"city":"Rome"}' },
            },
          },
        ],
      },
      {
        role: "tool",
        parts: [
          { part: { case: "toolResult", value: { toolCallId: "call_1", content: "rain" } } },
          {
            part: { case: "toolResult", value: { toolCallId: "call_2", content: "no data", isError: true } },
          },
        ],
      },
    ],
    tools: [weather],
  },
  "JSON of a schema": {
    messages: hello,
    responseFormat: { type: "json_schema", name: "person", schema: person },
  },
  "any JSON": { messages: hello, responseFormat: { type: "json_object" } },
  "a limit on the answer": { messages: hello, parameters: { maxTokens: 100 } },
  "how it writes": {
    messages: hello,
    parameters: { temperature: 0.5, topP: 0.9, stop: ["END", "STOP"], maxTokens: 50 },
  },
  "a seed": { messages: hello, parameters: { seed: 7n } },
  "punished repetition": { messages: hello, parameters: { presencePenalty: 0.5, frequencyPenalty: 0.25 } },
  "only the likeliest tokens": { messages: hello, parameters: { topK: 40 } },
  "several answers": { messages: hello, parameters: { choices: 2 } },
  "an effort to think": { messages: hello, parameters: { reasoningEffort: "low", maxTokens: 4096 } },
  "a budget to think": { messages: hello, parameters: { reasoningBudgetTokens: 2048, maxTokens: 4096 } },
  "thoughts sent back": {
    messages: [
      { role: "user", content: "What is 2 + 2?" },
      {
        role: "assistant",
        content: "4",
        parts: [{ part: { case: "reasoning", value: { text: "Two and two.", signature: "c2VhbA==" } } }],
      },
      { role: "user", content: "And 3 + 3?" },
    ],
  },
  "marks for the prompt cache": {
    messages: [
      { role: "system", content: "A long handbook.", cache: { ttl: "1h" } },
      { role: "user", content: "A question.", cache: {} },
    ],
    tools: [{ ...weather, cache: { ttl: "5m" } }],
  },
  "a service tier": { messages: hello, parameters: { serviceTier: "flex" } },
  "fields that only the provider knows": { messages: hello, extraBody: { custom_field: { a: 1 } } },
} satisfies Readonly<Record<string, Init>>;

export type CanonicalName = keyof typeof CANONICAL;
