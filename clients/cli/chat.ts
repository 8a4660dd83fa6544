/** `llmgateway chat`: one message, by the generated client, with its cost. */
import { text } from "node:stream/consumers";
import { create, toJsonString } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import {
  type ChatRequest,
  ChatRequestSchema,
  ChatResponseSchema,
  type StreamResponse,
  StreamResponseSchema,
} from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
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

type Gateway = Client<typeof GatewayService>;

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
    const gateway = connect(options);
    return options.stream
      ? await stream(gateway, request, abort.signal, options.json)
      : await unary(gateway, request, abort.signal, options.json);
  } catch (error) {
    const failure = ConnectError.from(error);
    if (abort.signal.aborted && failure.code === Code.Canceled) {
      process.stderr.write("aborted; the gateway's log says what was spent\n");
      return INTERRUPTED;
    }
    process.stderr.write(`${describeError(failure, options.url)}\n`);
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

function connect({ url, key }: ChatOptions): Gateway {
  if (key && !/^[\x21-\x7e]+$/.test(key)) {
    throw new ConnectError("the API key must be printable ASCII without spaces", Code.InvalidArgument);
  }
  const withKey: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${key}`);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    interceptors: key ? [withKey] : [],
  });
  return createClient(GatewayService, transport);
}

async function unary(
  gateway: Gateway,
  request: ChatRequest,
  signal: AbortSignal,
  json: boolean,
): Promise<number> {
  const reply = await gateway.chat(request, { signal });
  if (json) {
    process.stdout.write(
      `${toJsonString(ChatResponseSchema, reply, { ...JSON_OPTIONS, prettySpaces: 2 })}\n`,
    );
    return 0;
  }
  process.stdout.write(`${reply.response}\n`);
  for (const call of reply.toolCalls) process.stdout.write(`${call.name}(${call.arguments || call.input})\n`);
  process.stderr.write(`${describeReceipt(reply)}\n`);
  return 0;
}

async function stream(
  gateway: Gateway,
  request: ChatRequest,
  signal: AbortSignal,
  json: boolean,
): Promise<number> {
  let spentUsd: number | undefined;
  let receipt: Receipt | undefined;
  try {
    for await (const event of gateway.stream(request, { signal })) {
      spentUsd = event.costUsd ?? spentUsd;
      receipt = event.receipt ?? receipt;
      if (json) process.stdout.write(`${toJsonString(StreamResponseSchema, event, JSON_OPTIONS)}\n`);
      else process.stdout.write(textOf(event));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    process.stderr.write(`\naborted; about ${dollars(spentUsd)} spent by then\n`);
    return INTERRUPTED;
  }
  if (json) return 0;
  process.stdout.write("\n");
  if (receipt) process.stderr.write(`${describeReceipt(receipt)}\n`);
  return 0;
}

/** What is shown of one event: text and refusals as they are, a tool call as its name and then its arguments. */
function textOf({ token, refusal, toolCall }: StreamResponse): string {
  const { name = "", arguments: args = "", input = "" } = toolCall ?? {};
  return (token ?? refusal ?? "") + (name && `\n${name} `) + args + input;
}
