/** What Google's SDK takes for each canonical request, or the field that is refused because Gemini cannot do it. */
import type {
  FunctionCallingConfigMode,
  FunctionDeclaration,
  GenerateContentConfig,
  GenerateContentParameters,
  Part,
  ServiceTier,
  ThinkingLevel,
} from "@google/genai";
import { type CanonicalName, PDF, PIXEL } from "./canonical.ts";

export type Golden = { readonly params: GenerateContentParameters } | { readonly refused: string };

/** Thinks by a budget. */
export const MODEL = "gemini-2.5-flash";
/** Thinks by levels, and verifies signatures. */
export const NEWER_MODEL = "gemini-3.5-flash";

const weather: FunctionDeclaration = {
  name: "get_weather",
  description: "The weather of a city",
  parametersJsonSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const clock: FunctionDeclaration = {
  name: "get_time",
  description: "The time in a zone",
  parametersJsonSchema: { type: "object", properties: { zone: { type: "string" } }, required: ["zone"] },
};
const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};

const user = (...parts: Part[]) => ({ role: "user", parts });
const model = (...parts: Part[]) => ({ role: "model", parts });
const hello = [user({ text: "Hello" })];

function params(config: GenerateContentConfig, contents = hello, name = MODEL): Golden {
  return { params: { model: name, contents, config } };
}

function tools(mode: string, declarations: FunctionDeclaration[], allowedFunctionNames?: string[]): Golden {
  return params({
    tools: [{ functionDeclarations: declarations }],
    toolConfig: {
      functionCallingConfig: {
        // The SDK's enums are types alone here; on the wire they are their names.
        mode: mode as FunctionCallingConfigMode,
        ...(allowedFunctionNames && { allowedFunctionNames }),
      },
    },
  });
}

const asked = user({ text: "Weather in Oslo and Rome?" });
const call = (id: string, city: string): Part => ({
  functionCall: { name: "get_weather", id, args: { city } },
});
const answers = user(
  { functionResponse: { name: "get_weather", id: "call_1", response: { output: "rain" } } },
  { functionResponse: { name: "get_weather", id: "call_2", response: { error: "no data" } } },
);

export const GEMINI_GOLDEN: Readonly<Record<CanonicalName, Golden>> = {
  "a greeting": params({}),
  "instructions before it": params({
    systemInstruction: { parts: [{ text: "Be brief." }, { text: "Answer in French." }] },
  }),
  "several turns": params({}, [
    user({ text: "Hello" }),
    model({ text: "Hello, how can I help?" }),
    user({ text: "What is 2 + 2?" }),
  ]),
  "text in pieces": params({}, [user({ text: "One" }, { text: "two" }, { text: "three" })]),
  "an image by value": params({}, [
    user(
      { text: "What is this?" },
      { inlineData: { mimeType: "image/png", data: PIXEL.toString("base64") } },
    ),
  ]),
  "an image by URL": params({}, [
    user(
      { text: "What is this?" },
      { fileData: { fileUri: "https://example.com/a.png", mimeType: "image/png" } },
    ),
  ]),
  "a file by value": params({}, [
    user(
      { text: "Sum it up." },
      { inlineData: { mimeType: "application/pdf", data: PDF.toString("base64") } },
    ),
  ]),
  "tools to choose from": tools("AUTO", [weather, clock]),
  "tools, one of which must be called": tools("ANY", [weather, clock]),
  "tools, none of which may be called": tools("NONE", [weather]),
  "a tool that must be called": tools("ANY", [weather, clock], ["get_time"]),
  "one tool at a time": { refused: "parameters.parallel_tool_calls" },
  "calls and their results": params({ tools: [{ functionDeclarations: [weather] }] }, [
    asked,
    model({ text: "Let me look." }, call("call_1", "Oslo"), call("call_2", "Rome")),
    answers,
  ]),
  "JSON of a schema": params({ responseMimeType: "application/json", responseJsonSchema: person }),
  "any JSON": params({ responseMimeType: "application/json" }),
  "a limit on the answer": params({ maxOutputTokens: 100 }),
  "how it writes": params({
    temperature: 0.5,
    topP: 0.9,
    stopSequences: ["END", "STOP"],
    maxOutputTokens: 50,
  }),
  "a seed": params({ seed: 7 }),
  "punished repetition": params({ presencePenalty: 0.5, frequencyPenalty: 0.25 }),
  "only the likeliest tokens": params({ topK: 40 }),
  "several answers": params({ candidateCount: 2 }),
  "an effort to think": params({
    maxOutputTokens: 4096,
    thinkingConfig: { thinkingBudget: 1024, includeThoughts: true },
  }),
  "a budget to think": params({
    maxOutputTokens: 4096,
    thinkingConfig: { thinkingBudget: 2048, includeThoughts: true },
  }),
  "thoughts sent back": params({}, [
    user({ text: "What is 2 + 2?" }),
    model({ text: "Two and two.", thought: true, thoughtSignature: "c2VhbA==" }, { text: "4" }),
    user({ text: "And 3 + 3?" }),
  ]),
  // The marks have no place: Google caches by itself.
  "marks for the prompt cache": params(
    {
      systemInstruction: { parts: [{ text: "A long handbook." }] },
      tools: [{ functionDeclarations: [weather] }],
    },
    [user({ text: "A question." })],
  ),
  "a service tier": params({ serviceTier: "flex" as ServiceTier }),
  // The SDK adds it to the body by its HTTP options.
  "fields that only the provider knows": params({
    httpOptions: { extraBody: { custom_field: { a: 1 } } },
  }),
};

/** Where a newer model is told the same in another way. */
export const NEWER_GOLDEN: Readonly<Partial<Record<CanonicalName, Golden>>> = {
  "an effort to think": params(
    {
      maxOutputTokens: 4096,
      thinkingConfig: { thinkingLevel: "LOW" as ThinkingLevel, includeThoughts: true },
    },
    hello,
    NEWER_MODEL,
  ),
  // Calls that another model made are not signed, which Google wants to be told.
  "calls and their results": params(
    { tools: [{ functionDeclarations: [weather] }] },
    [
      asked,
      model(
        { text: "Let me look." },
        { ...call("call_1", "Oslo"), thoughtSignature: "skip_thought_signature_validator" },
        call("call_2", "Rome"),
      ),
      answers,
    ],
    NEWER_MODEL,
  ),
};
