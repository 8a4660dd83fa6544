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
import { createGateway, type Gateway, GatewayError } from "../typescript/src/node.ts";
import { describeError, describeReceipt, dollars } from "./describe.ts";

export interface ChatOptions {
  readonly model: string;
  readonly modelVersion: string;
  readonly stream: boolean;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly maxCost?: number;
  readonly timeout?: number;
  readonly json: boolean;
  readonly url: string;
  readonly key?: string;
}

const JSON_OPTIONS = { useProtoFieldName: true, alwaysEmitImplicit: true } as const;
/** What shells expect of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Prints the answer to standard output and the cost to standard error; gives the exit status. */
export async function chat(message: string, options: ChatOptions): Promise<number> {
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.once("SIGINT", interrupt);
  try {
    const request = requestOf(message === "-" ? await text(process.stdin) : message, options);
    // Whoever types a command decides whether to type it again.
    const gateway = createGateway({ baseUrl: options.url, apiKey: options.key, retry: false });
    const answer = options.stream ? stream : unary;
    await answer(gateway, request, abort.signal, options.json);
    return 0;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (abort.signal.aborted && error.kind === "cancelled") {
      process.stderr.write(
        error.costUsd === undefined
          ? "aborted; the gateway's log says what was spent\n"
          : `\naborted; about ${dollars(error.costUsd)} spent by then\n`,
      );
      return INTERRUPTED;
    }
    process.stderr.write(`${describeError(error)}\n`);
    return 1;
  } finally {
    process.off("SIGINT", interrupt);
  }
}

function requestOf(content: string, options: ChatOptions): ChatRequest {
  const { system, maxTokens } = options;
  return create(ChatRequestSchema, {
    messages: [...(system ? [{ role: "system", content: system }] : []), { role: "user", content }],
    model: options.model,
    modelVersion: options.modelVersion,
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
  for (const call of reply.toolCalls) process.stdout.write(`${call.name}(${call.arguments || call.input})\n`);
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
function textOf({ token, refusal, toolCall }: StreamResponse): string {
  const { name = "", arguments: args = "", input = "" } = toolCall ?? {};
  return (token ?? refusal ?? "") + (name && `\n${name} `) + args + input;
}
