/**
 * The service that Connect's conformance runner calls: each request says what to answer, and what came is told
 * in the answer. It knows no protocol.
 */

import { setTimeout } from "node:timers/promises";
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { type Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  BidiStreamRequestSchema,
  ClientStreamRequestSchema,
  type ConformancePayload_RequestInfo,
  ConformancePayload_RequestInfoSchema,
  type ConformanceService,
  type Error as ErrorDefinition,
  type Header,
  IdempotentUnaryRequestSchema,
  ServerStreamRequestSchema,
  type StreamResponseDefinition,
  UnaryRequestSchema,
  type UnaryResponseDefinition,
} from "../../gen/conformance/connectrpc/conformance/v1/service_pb.ts";

/** Without `Unimplemented`, which must not be. */
export const conformanceService: Partial<ServiceImpl<typeof ConformanceService>> = {
  async unary(request, context) {
    const heard = [anyPack(UnaryRequestSchema, request)];
    return { payload: await payload(request.responseDefinition, heard, context) };
  },

  async idempotentUnary(request, context) {
    const heard = [anyPack(IdempotentUnaryRequestSchema, request)];
    return { payload: await payload(request.responseDefinition, heard, context) };
  },

  async clientStream(requests, context) {
    const all = await Array.fromAsync(requests);
    const heard = all.map((request) => anyPack(ClientStreamRequestSchema, request));
    return { payload: await payload(all[0]?.responseDefinition, heard, context) };
  },

  async *serverStream(request, context) {
    const script = new Script(request.responseDefinition, context);
    script.hear(ServerStreamRequestSchema, request);
    while (!script.isOver) yield await script.next();
    script.finish();
  },

  async *bidiStream(requests, context) {
    let script: Script | undefined;
    let fullDuplex = false;
    for await (const request of requests) {
      if (!script) {
        script = new Script(request.responseDefinition, context);
        fullDuplex = request.fullDuplex;
      }
      script.hear(BidiStreamRequestSchema, request);
      if (!fullDuplex) continue;
      if (script.isOver) break;
      yield await script.next();
    }
    while (script && !script.isOver) yield await script.next();
    script?.finish();
  },
};

async function payload(
  definition: UnaryResponseDefinition | undefined,
  heard: Any[],
  context: HandlerContext,
) {
  const requestInfo = infoOf(heard, context);
  setHeaders(definition, context);
  await setTimeout(definition?.responseDelayMs);
  const { response } = definition ?? {};
  if (response?.case === "error") throw errorOf(response.value, requestInfo);
  return { data: response?.value ?? new Uint8Array(), requestInfo };
}

/** The responses of a stream, one after the other. */
class Script {
  private readonly definition: StreamResponseDefinition | undefined;
  private readonly context: HandlerContext;
  /** Requests that no response has told of. */
  private heard: Any[] = [];
  private sent = 0;

  constructor(definition: StreamResponseDefinition | undefined, context: HandlerContext) {
    this.definition = definition;
    this.context = context;
    setHeaders(definition, context);
  }

  get isOver(): boolean {
    return this.sent >= (this.definition?.responseData.length ?? 0);
  }

  hear<S extends DescMessage>(schema: S, request: MessageShape<S>): void {
    this.heard.push(anyPack(schema, request));
  }

  async next() {
    await setTimeout(this.definition?.responseDelayMs);
    const data = this.definition?.responseData[this.sent] ?? new Uint8Array();
    const requestInfo = this.info();
    this.sent++;
    this.heard = [];
    return { payload: { data, ...(requestInfo ? { requestInfo } : {}) } };
  }

  /** @throws ConnectError where one is asked for */
  finish(): void {
    if (this.definition?.error)
      throw errorOf(this.definition.error, this.sent === 0 ? this.info() : undefined);
  }

  /** All of it once, then only what is new. */
  private info(): ConformancePayload_RequestInfo | undefined {
    if (this.sent === 0) return infoOf(this.heard, this.context);
    if (this.heard.length === 0) return undefined;
    return create(ConformancePayload_RequestInfoSchema, { requests: this.heard });
  }
}

function infoOf(requests: Any[], context: HandlerContext): ConformancePayload_RequestInfo {
  const timeoutMs = context.timeoutMs();
  const query = context.requestMethod === "GET" ? headersOf(new URL(context.url).searchParams) : undefined;
  return create(ConformancePayload_RequestInfoSchema, {
    requestHeaders: headersOf(context.requestHeader),
    requests,
    ...(timeoutMs === undefined ? {} : { timeoutMs: BigInt(timeoutMs) }),
    ...(query ? { connectGetInfo: { queryParams: query } } : {}),
  });
}

function headersOf(fields: Iterable<[string, string]>) {
  return [...fields].map(([name, value]) => ({ name, value: [value] }));
}

function setHeaders(
  definition: { responseHeaders: Header[]; responseTrailers: Header[] } | undefined,
  context: HandlerContext,
): void {
  append(definition?.responseHeaders, context.responseHeader);
  append(definition?.responseTrailers, context.responseTrailer);
}

function append(fields: Header[] = [], headers: Headers): void {
  for (const { name, value } of fields) for (const one of value) headers.append(name, one);
}

function errorOf(
  definition: ErrorDefinition,
  info: ConformancePayload_RequestInfo | undefined,
): ConnectError {
  const error = new ConnectError(definition.message ?? "", definition.code as number as Code);
  const details = [...definition.details];
  if (info) details.push(anyPack(ConformancePayload_RequestInfoSchema, info));
  error.details = details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  return error;
}
