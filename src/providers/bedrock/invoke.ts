/**
 * Requests for models that go on with a text, in the format of each vendor: the conversation as one prompt,
 * told apart as these models were taught to.
 */
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Violation } from "../../core/failure.ts";
import type { Wish } from "../dialect.ts";
import { refuseTaken } from "../extra_body.ts";
import type { ModelName } from "./model.ts";
import { type Line, linesOf, refuseBeyondText } from "./prompt.ts";

/** One vendor's way to be asked. */
export interface VendorFormat {
  prompt(lines: readonly Line[]): string;
  body(prompt: string, settings: Settings): object;
  /** Parameters that it has no field for. */
  readonly unknown: readonly ("stop" | "top_k")[];
}

export interface Settings {
  /** Undefined leaves it to the model. */
  readonly maxTokens: number | undefined;
  readonly modelMaxTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  readonly stop: readonly string[] | undefined;
}

/** Every Claude of the second generation could write so many. */
const CLAUDE_2_MAX_TOKENS = 4096;

const CLAUDE: VendorFormat = {
  prompt: (lines) =>
    `${lines.map(({ role, text }) => (role === "system" ? text : `\n\n${SPEAKERS[role]}: ${text}`)).join("")}\n\nAssistant:`,
  body: (prompt, { maxTokens, modelMaxTokens, temperature, topP, topK, stop }) => ({
    prompt,
    max_tokens_to_sample: maxTokens ?? modelMaxTokens ?? CLAUDE_2_MAX_TOKENS,
    temperature,
    top_p: topP,
    top_k: topK,
    stop_sequences: stop,
  }),
  unknown: [],
};
const SPEAKERS = { user: "Human", assistant: "Assistant" };

const TITAN: VendorFormat = {
  prompt: (lines) =>
    `${lines.map(({ role, text }) => `${role === "system" ? "" : `${TITAN_SPEAKERS[role]}: `}${text}\n`).join("")}Bot:`,
  body: (inputText, { maxTokens, temperature, topP, stop }) => ({
    inputText,
    textGenerationConfig: { maxTokenCount: maxTokens, temperature, topP, stopSequences: stop },
  }),
  unknown: ["top_k"],
};
const TITAN_SPEAKERS = { user: "User", assistant: "Bot" };

const LLAMA: VendorFormat = {
  prompt: (lines) => instructions(lines, (text) => `<<SYS>>\n${text}\n<</SYS>>\n\n`, "<s>"),
  body: (prompt, { maxTokens, temperature, topP }) => ({
    prompt,
    max_gen_len: maxTokens,
    temperature,
    top_p: topP,
  }),
  unknown: ["stop", "top_k"],
};

const MISTRAL: VendorFormat = {
  prompt: (lines) => instructions(lines, (text) => `${text}\n\n`, ""),
  body: (prompt, { maxTokens, temperature, topP, topK, stop }) => ({
    prompt,
    max_tokens: maxTokens,
    temperature,
    top_p: topP,
    top_k: topK,
    stop,
  }),
  unknown: [],
};

/**
 * These have no Converse, or have it without a system prompt, which their own
 * format can hold. All others, and what an ARN does not tell, speak Converse.
 * https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
 */
const FORMATS: readonly (readonly [vendor: string, model: string, format: VendorFormat])[] = [
  ["anthropic", "claude-v2", CLAUDE],
  ["anthropic", "claude-instant", CLAUDE],
  ["amazon", "titan-tg1", TITAN],
  ["meta", "llama2", LLAMA],
  ["mistral", "mistral-7b-instruct", MISTRAL],
  ["mistral", "mixtral-8x7b-instruct", MISTRAL],
];

/** Undefined for models that speak Converse. */
export function vendorFormat({ vendor, name }: ModelName): VendorFormat | undefined {
  return FORMATS.find(([of, prefix]) => of === vendor && name.startsWith(prefix))?.[2];
}

export function encodeCompletion(
  format: VendorFormat,
  request: ChatRequest,
  wish: Wish,
  wrong: Violation[],
): string {
  const { parameters, extraBody = {} } = request;
  refuseBeyondText(request, format.unknown, wrong);
  const body = format.body(format.prompt(linesOf(request, wrong)), {
    maxTokens: wish.maxTokens ?? parameters?.maxTokens,
    modelMaxTokens: wish.modelMaxTokens,
    temperature: parameters?.temperature,
    topP: parameters?.topP,
    topK: parameters?.topK,
    stop: parameters && parameters.stop.length > 0 ? parameters.stop : undefined,
  });
  refuseTaken(extraBody, (field) => Object.hasOwn(body, field), wrong);
  return JSON.stringify({ ...body, ...extraBody });
}

/** Llama's and Mistral's: each question in brackets, the instructions within the first, and answers between. */
function instructions(lines: readonly Line[], system: (text: string) => string, begin: string): string {
  const told = lines.filter(({ role }) => role === "system").map(({ text }) => text);
  let before = told.length > 0 ? system(told.join("\n\n")) : "";
  let prompt = "<s>";
  let answered = false;
  for (const { role, text } of lines) {
    if (role === "user") {
      prompt += `${answered ? begin : ""}[INST] ${before}${text} [/INST]`;
      before = "";
    } else if (role === "assistant") prompt += ` ${text}</s>`;
    answered = role === "assistant";
  }
  return prompt;
}
