/**
 * Every way in, behind the one interface of a generated client, so that a test can walk through all of them.
 * RPC goes through Connect's own transports; REST and server-sent events are read here from the wire.
 */
import {
  create,
  type DescMessage,
  fromJson,
  type JsonObject,
  type MessageInitShape,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { type CallOptions, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import {
  type ChatRequest,
  ChatRequestSchema,
  type ChatResponse,
  ChatResponseSchema,
  type StreamResponse,
  StreamResponseSchema,
} from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import {
  type CompareEvent,
  CompareEventSchema,
  type CompareRequest,
  CompareRequestSchema,
} from "../../gen/ts/llmgateway/v1/compare_pb.ts";
import {
  type EmbedRequest,
  EmbedRequestSchema,
  type EmbedResponse,
  EmbedResponseSchema,
} from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import {
  type DryRunResponse,
  DryRunResponseSchema,
  GatewayService,
} from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { http1, http2, type Post, type WireReply } from "./http.ts";
import { readEvents } from "./sse.ts";

/** The fields of a request, as a plain object. */
export type ChatInit = Exclude<MessageInitShape<typeof ChatRequestSchema>, ChatRequest>;

export type EmbedInit = Exclude<MessageInitShape<typeof EmbedRequestSchema>, EmbedRequest>;

export type CompareInit = Exclude<MessageInitShape<typeof CompareRequestSchema>, CompareRequest>;

export interface Caller {
  readonly name: string;
  readonly protocol: "rest" | "connect" | "grpc" | "grpc-web";
  at(url: string): Conversation;
}

/** Failures are thrown as ConnectError; only what follows a REST stream's first event is but an event. */
export interface Conversation {
  chat(request: ChatInit, options?: CallOptions): Promise<ChatResponse>;
  stream(request: ChatInit, options?: CallOptions): AsyncIterable<StreamResponse>;
  compare(request: CompareInit, options?: CallOptions): AsyncIterable<CompareEvent>;
  embed(request: EmbedInit, options?: CallOptions): Promise<EmbedResponse>;
  dryRun(request: ChatInit, options?: CallOptions): Promise<DryRunResponse>;
}

export const CALLERS: readonly Caller[] = [
  { name: "REST and SSE", protocol: "rest", at: (url) => rest(url, http1) },
  { name: "REST and SSE over HTTP/2", protocol: "rest", at: (url) => rest(url, http2) },
  {
    name: "Connect in JSON",
    protocol: "connect",
    at: (baseUrl) => connect({ baseUrl, useBinaryFormat: false }),
  },
  {
    name: "Connect in JSON below /v1/gateway",
    protocol: "connect",
    at: (url) => connect({ baseUrl: `${url}/v1/gateway`, useBinaryFormat: false }),
  },
  { name: "Connect in binary", protocol: "connect", at: (baseUrl) => connect({ baseUrl }) },
  {
    name: "Connect over HTTP/2",
    protocol: "connect",
    at: (baseUrl) => connect({ baseUrl, httpVersion: "2" }),
  },
  { name: "gRPC", protocol: "grpc", at: (baseUrl) => client(createGrpcTransport({ baseUrl })) },
  {
    name: "gRPC-Web",
    protocol: "grpc-web",
    at: (baseUrl) => client(createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })),
  },
];

function client(transport: Transport): Conversation {
  return createClient(GatewayService, transport);
}

function connect(options: { baseUrl: string; useBinaryFormat?: boolean; httpVersion?: "2" }): Conversation {
  return client(createConnectTransport({ httpVersion: "1.1", ...options }));
}

function rest(url: string, post: Post): Conversation {
  return {
    async chat(request, options = {}) {
      const reply = await ask(post, `${url}/v1/gateway/chat`, restJson(request), options);
      return fromJson(ChatResponseSchema, JSON.parse(await reply.text()));
    },
    async *stream(request, options = {}) {
      const reply = await ask(post, `${url}/v1/gateway/stream`, restJson(request), options);
      for await (const { data } of readEvents(reply.pieces)) {
        if (data !== undefined) yield fromJson(StreamResponseSchema, JSON.parse(data));
      }
    },
    async *compare(request, options = {}) {
      const json = jsonOf(CompareRequestSchema, request);
      const reply = await ask(post, `${url}/v1/gateway/compare`, json, options);
      for await (const { data } of readEvents(reply.pieces)) {
        if (data !== undefined) yield fromJson(CompareEventSchema, JSON.parse(data));
      }
    },
    async embed(request, options = {}) {
      const json = jsonOf(EmbedRequestSchema, request);
      const reply = await ask(post, `${url}/v1/gateway/embeddings`, json, options);
      return fromJson(EmbedResponseSchema, JSON.parse(await reply.text()));
    },
    async dryRun(request, options = {}) {
      const reply = await ask(post, `${url}/v1/gateway/dry-run`, restJson(request), options);
      return fromJson(DryRunResponseSchema, JSON.parse(await reply.text()));
    },
  };
}

async function ask(post: Post, url: string, json: JsonObject, options: CallOptions): Promise<WireReply> {
  const { timeoutMs, signal } = options;
  const headers = new Headers(options.headers);
  headers.set("content-type", "application/json");
  if (timeoutMs !== undefined) headers.set("connect-timeout-ms", String(timeoutMs));
  const body = JSON.stringify(json);
  const reply = await post(url, body, {
    headers: Object.fromEntries(headers),
    ...(signal ? { signal } : {}),
  });
  options.onHeader?.(reply.headers);
  if (reply.status === 200) return reply;
  const fallback = new ConnectError(`HTTP ${reply.status}`, Code.Unknown);
  throw errorFromJson(JSON.parse(await reply.text()), reply.headers, fallback);
}

/** As a caller of REST would write it. */
export function restJson(request: ChatInit): JsonObject {
  return jsonOf(ChatRequestSchema, request);
}

function jsonOf<Schema extends DescMessage>(schema: Schema, request: MessageInitShape<Schema>): JsonObject {
  return toJson(schema, create(schema, request) as MessageShape<Schema>, {
    useProtoFieldName: true,
  }) as JsonObject;
}
