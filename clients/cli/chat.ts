/** `llmgateway chat`: one message, by the TypeScript client, with its cost. */
import { text } from "node:stream/consumers";
import { create, toJsonString } from "@bufbuild/protobuf";
import {
  type ChatRequest,
  ChatRequestSchema,
  ChatResponseSchema,
  type StreamResponse,
  StreamResponseSchema,
} from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Gateway } from "../typescript/src/node.ts";
import { type CallOptions, call, JSON_OPTIONS } from "./call.ts";
import { describeReceipt } from "./describe.ts";
import { dryRun } from "./dry-run.ts";

/** By what the router chooses, and keeps to it. */
export interface RouteOptions {
  readonly policy?: string;
  readonly lowCost?: boolean;
  readonly task?: string;
  readonly fallback?: string;
  readonly session?: string;
}

/** What the gateway's cache may do with it. */
export interface KeepOptions {
  readonly cache?: string;
  /** In milliseconds. */
  readonly cacheTtl?: number;
  readonly sensitive?: boolean;
}

export interface ChatOptions extends CallOptions, RouteOptions, KeepOptions {
  readonly model: string;
  readonly modelVersion: string;
  readonly stream: boolean;
  readonly dryRun?: boolean;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly maxCost?: number;
  readonly timeout?: number;
  readonly idempotencyKey?: string;
  readonly json: boolean;
}

/** Prints the answer to standard output and the cost to standard error; gives the exit status. */
export async function chat(message: string, options: ChatOptions): Promise<number> {
  const request = requestOf(message === "-" ? await text(process.stdin) : message, options);
  const answer = options.dryRun ? dryRun : options.stream ? stream : unary;
  return call(options, (gateway, signal) => answer(gateway, request, signal, options.json));
}

/** What the options ask for, with the content as the user's message. */
export function requestOf(
  content: string,
  options: Omit<ChatOptions, "stream" | "dryRun" | "json" | "url">,
): ChatRequest {
  const { system, maxTokens } = options;
  return create(ChatRequestSchema, {
    messages: [...(system ? [{ role: "system", content: system }] : []), { role: "user", content }],
    model: options.model,
    modelVersion: options.modelVersion,
    routingPolicy: options.policy ?? "",
    preferLowCost: options.lowCost ?? false,
    taskType: options.task ?? "",
    fallbackChain: options.fallback ?? "",
    sessionId: options.session ?? "",
    idempotencyKey: options.idempotencyKey ?? "",
    cache: options.cache ?? "",
    sensitive: options.sensitive ?? false,
    ...(options.cacheTtl === undefined ? {} : { cacheTtlSeconds: Math.ceil(options.cacheTtl / 1_000) }),
    ...(maxTokens === undefined ? {} : { parameters: { maxTokens } }),
    ...(options.maxCost === undefined ? {} : { maxCostUsd: options.maxCost }),
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
  });
}

async function unary(
  gateway: Gateway,
  request: ChatRequest,
  signal: AbortSignal,
  json: boolean,
): Promise<void> {
  const reply = await gateway.chat(request, { signal });
  if (json) {
    process.stdout.write(
      `${toJsonString(ChatResponseSchema, reply, { ...JSON_OPTIONS, prettySpaces: 2 })}\n`,
    );
    return;
  }
  process.stdout.write(`${reply.response}\n`);
  for (const { name, arguments: args, input } of reply.toolCalls) {
    process.stdout.write(`${name}(${args || input})\n`);
  }
  process.stderr.write(`${describeReceipt(reply)}\n`);
}

async function stream(
  gateway: Gateway,
  request: ChatRequest,
  signal: AbortSignal,
  json: boolean,
): Promise<void> {
  const events = gateway.stream(request, { signal });
  for await (const event of events) {
    if (json) process.stdout.write(`${toJsonString(StreamResponseSchema, event, JSON_OPTIONS)}\n`);
    else process.stdout.write(textOf(event));
  }
  if (!json) {
    process.stdout.write("\n");
    process.stderr.write(`${describeReceipt(await events.receipt)}\n`);
  }
}

/** What is shown of one event: text and refusals as they are, a tool call as its name and then its arguments. */
export function textOf({ token, refusal, toolCall }: StreamResponse): string {
  const { name = "", arguments: args = "", input = "" } = toolCall ?? {};
  return (token ?? refusal ?? "") + (name && `\n${name} `) + args + input;
}
