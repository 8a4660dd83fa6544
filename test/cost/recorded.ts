/** Recorded requests as a caller of the gateway would have made them, with what their providers measured. */
import { create, type JsonObject, type MessageInitShape } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { MessageSchema, PartSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { ModelRequest } from "../../src/core/call.ts";
import { loadRecordings, type Recording } from "../recordings/recordings.ts";

export interface Measured {
  /** Folder and name of the recording. */
  readonly name: string;
  readonly kind: string;
  readonly model: string;
  readonly request: ModelRequest;
  readonly inputTokens: number;
}

export interface Recorded {
  readonly measured: readonly Measured[];
  /** Answers whose request nobody kept, or kept whole. */
  readonly withoutRequest: readonly string[];
  /** Asked in a way that the contract has no word for, so that the gateway sends no such request. */
  readonly beyondContract: readonly string[];
  /** Answers whose provider counted nothing. */
  readonly withoutCount: readonly string[];
}

/** By the folders of recordings. */
const KINDS: Readonly<Record<string, string>> = {
  openai: "openai",
  "azure-openai": "openai",
  anthropic: "claude",
  "vertex-anthropic": "vertex_ai",
  gemini: "gemini",
  vertex: "vertex_ai",
  mistral: "mistral",
  bedrock: "bedrock",
};

/** Their recorder replaced a text of 18,000 tokens by the words "very very long system prompt". */
const SHORTENED = ["bedrock/invoke-claude-cache-read", "bedrock/invoke-claude-cache-write"];

/** Documents with citations: an own prompt of 590 tokens stands before them. */
const BEYOND_CONTRACT = ["bedrock/converse-stream-citations"];

export function recordedRequests(folder: string): Recorded {
  const measured: Measured[] = [];
  const withoutRequest: string[] = [];
  const beyondContract: string[] = [];
  const withoutCount: string[] = [];
  for (const recording of loadRecordings(folder, Object.keys(KINDS))) {
    const { provider, meta, request } = recording;
    if (meta.status !== 200) continue;
    const name = `${provider}/${recording.name}`;
    const inputTokens = meta.expected.total_input_tokens ?? meta.expected.input_tokens;
    if (!request?.trim() || SHORTENED.includes(name)) withoutRequest.push(name);
    else if (BEYOND_CONTRACT.includes(name)) beyondContract.push(name);
    else if (inputTokens === undefined) withoutCount.push(name);
    else {
      const body: Body = JSON.parse(request);
      const kind = KINDS[provider] ?? "";
      measured.push({ name, kind, model: modelOf(recording, body), request: decode(body), inputTokens });
    }
  }
  return { measured, withoutRequest, beyondContract, withoutCount };
}

function modelOf({ meta }: Recording, body: Body): string {
  const inPath = /\/(?:models?|deployments)\/([^/:]+(?:%3A\d+|:\d+)?)/.exec(meta.request.url ?? "")?.[1];
  return meta.expected.model ?? body.model ?? decodeURIComponent(inPath ?? "");
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of eight formats, each of which is read by its own rules
type Body = any;
type MessageInit = MessageInitShape<typeof MessageSchema>;
type ChatInit = MessageInitShape<typeof ChatRequestSchema>;

function decode(body: Body): ModelRequest {
  const texts = embeddedTexts(body);
  if (texts) return create(EmbedRequestSchema, { input: texts });
  if (body.contents) return create(ChatRequestSchema, gemini(body));
  if (
    body.toolConfig ||
    body.inferenceConfig ||
    body.guardrailConfig ||
    (body.messages?.[0]?.content?.[0]?.text !== undefined && !body.messages[0].content[0].type)
  )
    return create(ChatRequestSchema, converse(body));
  if (body.prompt ?? body.inputText)
    return create(ChatRequestSchema, {
      messages: [{ role: "user", content: body.prompt ?? body.inputText }],
    });
  const isClaude = body.anthropic_version || body.system || /claude/.test(body.model ?? "");
  return create(ChatRequestSchema, isClaude ? claude(body) : openai(body));
}

function embeddedTexts(body: Body): string[] | undefined {
  if (body.input !== undefined) return [body.input].flat();
  if (body.instances) return body.instances.map(({ content }: Body) => content);
  if (body.inputText !== undefined && !body.textGenerationConfig) return [body.inputText];
  return undefined;
}

function openai(body: Body): ChatInit {
  const tools = body.tools ?? body.functions?.map((one: Body) => ({ function: one }));
  const format = body.response_format;
  return {
    messages: body.messages.map(
      ({ role, content, tool_calls = [], tool_call_id }: Body): MessageInit =>
        tool_call_id
          ? { role, parts: [part({ case: "toolResult", value: { toolCallId: tool_call_id, content } })] }
          : {
              role,
              content: content ?? "",
              parts: tool_calls.map((call: Body) =>
                part({ case: "toolCall", value: { id: call.id, ...call.function } }),
              ),
            },
    ),
    tools: (tools ?? []).map(({ function: one, custom }: Body) =>
      custom
        ? { name: custom.name, description: custom.description, freeText: custom.format.grammar }
        : tool(one.name, one.description, one.parameters),
    ),
    ...toolChoice(body.tool_choice ?? body.function_call),
    ...(format && {
      responseFormat: {
        type: format.type,
        ...(format.json_schema && {
          name: format.json_schema.name,
          description: format.json_schema.description ?? "",
          schemaJson: JSON.stringify(format.json_schema.schema),
        }),
      },
    }),
    ...(body.reasoning_effort && { parameters: { reasoningEffort: body.reasoning_effort } }),
    ...extra(body, ["web_search_options"]),
  };
}

function claude(body: Body): ChatInit {
  const own = (body.tools ?? []).filter(({ input_schema }: Body) => input_schema);
  const format = body.output_format ?? body.output_config?.format;
  const turns = body.messages.map(({ role, content }: Body): MessageInit => {
    const blocks: Body[] = typeof content === "string" ? [{ text: content }] : content;
    return { role, parts: blocks.map(({ text }) => part({ case: "text", value: text })) };
  });
  return {
    messages: [...systemOf(body.system), ...turns],
    tools: own.map((one: Body) => tool(one.name, one.description, one.input_schema)),
    ...toolChoice(body.tool_choice?.type ?? ""),
    ...(format && { responseFormat: { type: "json_schema", schemaJson: JSON.stringify(format.schema) } }),
    ...(body.thinking && { parameters: { reasoningBudgetTokens: body.thinking.budget_tokens ?? 0 } }),
    ...(own.length < (body.tools ?? []).length ? extra(body, ["tools"]) : {}),
  };
}

function converse(body: Body): ChatInit {
  const all: Body[] = body.toolConfig?.tools ?? [];
  const own = all.filter(({ toolSpec }) => toolSpec);
  const { thinking, reasoningConfig } = body.additionalModelRequestFields ?? {};
  return {
    messages: [
      ...systemOf(body.system),
      ...body.messages.map(({ role, content }: Body) => ({ role, parts: content.map(converseBlock) })),
    ],
    tools: own.map(({ toolSpec: one }) => tool(one.name, one.description, one.inputSchema.json)),
    ...(body.toolConfig?.toolChoice?.any && { toolChoice: "required" }),
    ...(thinking && { parameters: { reasoningBudgetTokens: thinking.budget_tokens } }),
    ...(reasoningConfig && { parameters: { reasoningEffort: reasoningConfig.maxReasoningEffort } }),
    ...(own.length < all.length ? extra(body, ["toolConfig"]) : {}),
  };
}

function converseBlock({ text, document }: Body) {
  if (!document) return part({ case: "text", value: text });
  const data = new TextEncoder().encode(document.source.text);
  const source = { case: "data", value: data } as const;
  return part({ case: "file", value: { source, mediaType: "text/plain", name: document.name } });
}

function gemini(body: Body): ChatInit {
  const groups: Body[] = body.tools ?? [];
  const own = groups.flatMap(({ functionDeclarations = [] }) => functionDeclarations);
  const settings = body.generationConfig ?? {};
  const schema = settings.responseJsonSchema ?? settings.responseSchema;
  return {
    messages: [
      ...systemOf(body.systemInstruction?.parts),
      ...body.contents.map(({ role, parts }: Body) => ({
        role: role === "model" ? "assistant" : "user",
        parts: parts.map(geminiPart),
      })),
    ],
    tools: own.map((one) => tool(one.name, one.description, one.parameters ?? one.parameters_json_schema)),
    ...(schema && { responseFormat: { type: "json_schema", schemaJson: JSON.stringify(schema) } }),
    ...extra(body, ["cachedContent"]),
    ...(groups.some(({ functionDeclarations }) => !functionDeclarations) ? extra(body, ["tools"]) : {}),
  };
}

function geminiPart({ text, functionCall: call, functionResponse: result, thoughtSignature }: Body) {
  if (call) {
    const value = { id: call.id, name: call.name, arguments: JSON.stringify(call.args) };
    return part({ case: "toolCall", value: { ...value, signature: thoughtSignature ?? "" } });
  }
  if (result) {
    const value = { toolCallId: result.id, content: JSON.stringify(result.response) };
    return part({ case: "toolResult", value });
  }
  return part({ case: "text", value: text });
}

function systemOf(system: Body): MessageInit[] {
  if (!system?.length) return [];
  const texts = typeof system === "string" ? [system] : system.flatMap(({ text }: Body) => text ?? []);
  return [{ role: "system", content: texts.join("\n") }];
}

function part(value: NonNullable<MessageInitShape<typeof PartSchema>["part"]>) {
  return { part: value };
}

function tool(name: string, description: string | undefined, parameters: Body) {
  return { name, description: description ?? "", parametersJson: JSON.stringify(parameters) };
}

function toolChoice(choice: unknown) {
  if (typeof choice !== "string" || choice === "auto" || choice === "") return {};
  return { toolChoice: choice === "any" ? "required" : choice };
}

function extra(body: Body, names: readonly string[]): { extraBody?: JsonObject } {
  const found = names.filter((name) => body[name] !== undefined).map((name) => [name, body[name]]);
  return found.length > 0 ? { extraBody: Object.fromEntries(found) } : {};
}
