/** Conversations in the contract's form, each beside the same written by hand for the official SDK. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import type { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";

export interface ConversationPair {
  readonly name: string;
  readonly messages: NonNullable<Messages>;
  readonly wire: ChatCompletionMessageParam[];
}

type Messages = MessageInitShape<typeof ChatRequestSchema>["messages"];
type PartInit = NonNullable<NonNullable<NonNullable<Messages>[number]["parts"]>[number]["part"]>;

const hello = [{ role: "user", content: "Hello" }] as const;
const wireHello: ChatCompletionMessageParam[] = [{ role: "user", content: "Hello" }];
const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);

function talk(
  name: string,
  messages: ConversationPair["messages"],
  wire: ChatCompletionMessageParam[],
): ConversationPair {
  return { name, messages, wire };
}

function part(value: PartInit) {
  return { part: value };
}

export const CONVERSATIONS: readonly ConversationPair[] = [
  talk("a text", [...hello], wireHello),
  talk(
    "every role with a text, and names",
    [
      { role: "system", content: "Be brief." },
      { role: "developer", content: "Be kind.", name: "ops" },
      { role: "user", content: "Hello", name: "ann" },
      { role: "assistant", content: "Hi", name: "bot" },
      { role: "user", content: "Bye" },
    ],
    [
      { role: "system", content: "Be brief." },
      { role: "developer", content: "Be kind.", name: "ops" },
      { role: "user", content: "Hello", name: "ann" },
      { role: "assistant", content: "Hi", name: "bot" },
      { role: "user", content: "Bye" },
    ],
  ),
  talk(
    "content before parts, in every role that takes texts",
    [
      { role: "system", content: "One.", parts: [part({ case: "text", value: "Two." })] },
      { role: "user", content: "Three.", parts: [part({ case: "text", value: "Four." })] },
      { role: "assistant", content: "Five.", parts: [part({ case: "text", value: "Six." })] },
      { role: "user", parts: [part({ case: "text", value: "A lone part" })] },
    ],
    [
      {
        role: "system",
        content: [
          { type: "text", text: "One." },
          { type: "text", text: "Two." },
        ],
      },
      {
        role: "user",
        content: [
          { type: "text", text: "Three." },
          { type: "text", text: "Four." },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "text", text: "Five." },
          { type: "text", text: "Six." },
        ],
      },
      { role: "user", content: "A lone part" },
    ],
  ),
  talk("an empty text", [{ role: "user" }], [{ role: "user", content: "" }]),
  talk(
    "a picture by URL",
    [
      {
        role: "user",
        content: "What is this?",
        parts: [
          part({
            case: "image",
            value: { source: { case: "url", value: "https://example.com/a.png" }, detail: "low" },
          }),
        ],
      },
    ],
    [
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image_url", image_url: { url: "https://example.com/a.png", detail: "low" } },
        ],
      },
    ],
  ),
  talk(
    "a picture by its bytes, alone",
    [
      {
        role: "user",
        parts: [
          part({ case: "image", value: { source: { case: "data", value: png }, mediaType: "image/png" } }),
        ],
      },
    ],
    [
      {
        role: "user",
        content: [{ type: "image_url", image_url: { url: "data:image/png;base64,iVBORw==" } }],
      },
    ],
  ),
  talk(
    "a document by its bytes, with and without a name",
    [
      {
        role: "user",
        parts: [
          part({
            case: "file",
            value: { source: { case: "data", value: png }, mediaType: "application/pdf", name: "a.pdf" },
          }),
          part({
            case: "file",
            value: { source: { case: "data", value: png }, mediaType: "application/pdf" },
          }),
        ],
      },
    ],
    [
      {
        role: "user",
        content: [
          { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,iVBORw==" } },
          {
            type: "file",
            file: { filename: "document.pdf", file_data: "data:application/pdf;base64,iVBORw==" },
          },
        ],
      },
    ],
  ),
  talk(
    "a document by its id, and one by a data URL",
    [
      {
        role: "user",
        parts: [
          part({ case: "file", value: { source: { case: "fileId", value: "file-1" } } }),
          part({
            case: "file",
            value: { source: { case: "url", value: "data:text/plain;base64,SGk=" }, name: "a.txt" },
          }),
        ],
      },
    ],
    [
      {
        role: "user",
        content: [
          { type: "file", file: { file_id: "file-1" } },
          { type: "file", file: { filename: "a.txt", file_data: "data:text/plain;base64,SGk=" } },
        ],
      },
    ],
  ),
  talk(
    "tool calls and their results",
    [
      ...hello,
      {
        role: "assistant",
        parts: [
          part({
            case: "toolCall",
            value: { id: "call_1", name: "get_weather", arguments: '{"city": "Rome"}' },
          }),
          part({ case: "toolCall", value: { id: "call_2", name: "get_time" } }),
        ],
      },
      {
        role: "tool",
        parts: [
          part({ case: "toolResult", value: { toolCallId: "call_1", content: "Sun" } }),
          part({ case: "toolResult", value: { toolCallId: "call_2", content: "No clock", isError: true } }),
        ],
      },
    ],
    [
      ...wireHello,
      {
        role: "assistant",
        content: null,
        tool_calls: [
          {
            id: "call_1",
            type: "function",
            function: { name: "get_weather", arguments: '{"city": "Rome"}' },
          },
          { id: "call_2", type: "function", function: { name: "get_time", arguments: "{}" } },
        ],
      },
      { role: "tool", tool_call_id: "call_1", content: "Sun" },
      { role: "tool", tool_call_id: "call_2", content: "No clock" },
    ],
  ),
  talk(
    "a tool call after a text, thoughts left out",
    [
      ...hello,
      {
        role: "assistant",
        content: "I will look.",
        parts: [
          part({ case: "reasoning", value: { text: "Let me see", signature: "seal" } }),
          part({ case: "toolCall", value: { id: "call_1", name: "look", arguments: "{}" } }),
        ],
      },
      { role: "tool", parts: [part({ case: "toolResult", value: { toolCallId: "call_1", content: "" } })] },
    ],
    [
      ...wireHello,
      {
        role: "assistant",
        content: "I will look.",
        tool_calls: [{ id: "call_1", type: "function", function: { name: "look", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "" },
    ],
  ),
  talk(
    "a refusal, and thoughts without a word",
    [
      ...hello,
      { role: "assistant", parts: [part({ case: "refusal", value: "No." })] },
      { role: "user", content: "Why?" },
      { role: "assistant", parts: [part({ case: "reasoning", value: { text: "Hm" } })] },
    ],
    [
      ...wireHello,
      { role: "assistant", content: null, refusal: "No." },
      { role: "user", content: "Why?" },
      { role: "assistant", content: "" },
    ],
  ),
  talk(
    "a call of a free-text tool that is no longer offered",
    [
      ...hello,
      {
        role: "assistant",
        parts: [part({ case: "toolCall", value: { id: "call_1", name: "sum", input: "4 + 4" } })],
      },
      { role: "tool", parts: [part({ case: "toolResult", value: { toolCallId: "call_1", content: "8" } })] },
    ],
    [
      ...wireHello,
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "custom", custom: { name: "sum", input: "4 + 4" } }],
      },
      { role: "tool", tool_call_id: "call_1", content: "8" },
    ],
  ),
];
