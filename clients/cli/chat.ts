/** `llmgateway chat`: one message, by the TypeScript client, with its cost. */
import { text } from "node:stream/consumers";
import { create, toJsonString } from "@bufbuild/protobuf";
import {
  type ChatRequest,
  ChatRequestSchema,
  ChatResponseSchema,
  StreamResponseSchema,
} from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Gateway } from "../typescript/src/node.ts";
import { type CallOptions, call, JSON_OPTIONS } from "./call.ts";
import { compare } from "./compare/compare.ts";
import { describeReceipt } from "./describe.ts";
import { dryRun } from "./dry-run.ts";
import { InputError } from "./input-error.ts";
import type { FromTemplate } from "./template-commands.ts";
import { print, textOf } from "./text.ts";
import { readVariables } from "./variables.ts";

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

export interface ChatOptions extends CallOptions, RouteOptions, KeepOptions, FromTemplate {
  readonly model: string;
  readonly modelVersion: string;
  readonly stream: boolean;
  readonly dryRun?: boolean;
  /** Who answer beside each other, in place of `model`. */
  readonly compare?: readonly string[];
  readonly system?: string;
  readonly maxTokens?: number;
  readonly maxCost?: number;
  readonly timeout?: number;
  readonly idempotencyKey?: string;
  readonly json: boolean;
}

/** Prints the answer to standard output and the cost to standard error; gives the exit status. */
export async function chat(message: string | undefined, options: ChatOptions): Promise<number> {
  if (options.compare) return compareModels(message, options.compare, options);
  const request = await requestOf(message, options);
  const answer = options.dryRun ? dryRun : options.stream ? stream : unary;
  return call(options, (gateway, signal) => answer(gateway, request, signal, options.json));
}

/** The most that it may cost is for all of them together. */
async function compareModels(
  message: string | undefined,
  models: readonly string[],
  { maxCost, ...options }: ChatOptions,
): Promise<number> {
  const { model, modelVersion, dryRun: isDry } = options;
  if (model || modelVersion || isDry)
    throw new InputError("--compare names the models: leave out --model, --model-version and --dry-run");
  return compare(await requestOf(message, options), { ...options, models, maxCost });
}

/** What the options ask for, with the message as the user's. */
export async function requestOf(
  message: string | undefined,
  options: Omit<ChatOptions, "stream" | "dryRun" | "compare" | "json" | "url">,
): Promise<ChatRequest> {
  const { system, maxTokens, template = "", templateVersion = 0 } = options;
  if (message === undefined && !template)
    throw new InputError("give the message, or a template by --template");
  const content = message === "-" ? await text(process.stdin) : message;
  return create(ChatRequestSchema, {
    messages: [
      ...(system ? [{ role: "system", content: system }] : []),
      ...(content === undefined ? [] : [{ role: "user", content }]),
    ],
    template,
    templateVersion,
    variables: await readVariables(options.var),
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
  print(`${reply.response}\n`);
  for (const { name, arguments: args, input } of reply.toolCalls) {
    print(`${name}(${args || input})\n`);
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
  let isBegun = false;
  try {
    for await (const event of events) {
      if (json) process.stdout.write(`${toJsonString(StreamResponseSchema, event, JSON_OPTIONS)}\n`);
      else print(textOf(event));
      isBegun = true;
    }
  } catch (error) {
    // What it failed with is told on a line of its own; where it was ended by hand, that is seen to.
    if (isBegun && !json && !signal.aborted) process.stdout.write("\n");
    throw error;
  }
  if (!json) {
    process.stdout.write("\n");
    process.stderr.write(`${describeReceipt(await events.receipt)}\n`);
  }
}
