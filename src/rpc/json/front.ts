/** The front for plain HTTP: REST in JSON, streams as server-sent events, in front of the door. */
import type { DescMessage, DescMethod, DescService, JsonObject, Message } from "@bufbuild/protobuf";
import { SpanKind } from "@opentelemetry/api";
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { GatewayService } from "../../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Clock } from "../../core/clock.ts";
import { Failure, invalidRequest } from "../../core/failure.ts";
import { readStrict } from "../../core/strict-json.ts";
import { startChildSpan } from "../../telemetry/trace.ts";
import type { Send } from "../compression.ts";
import type { Answer, Door, Request } from "../door.ts";
import { retryAfter, toErrorJson } from "../errors.ts";
import { headersOf, type NodeReply, type NodeRequest, pathOf, queryOf } from "../node.ts";
import { writtenAlike } from "./alike.ts";
import type { Bodies } from "./bodies.ts";
import { type BodyLimits, parse, readText } from "./body.ts";
import { queryToJson } from "./query.ts";
import { createRoutes, type Match } from "./routes.ts";
import { SseWriter } from "./sse.ts";
import { jsonWriter } from "./write.ts";

export interface JsonFrontOptions {
  readonly services: readonly DescService[];
  readonly door: Door;
  readonly limits: BodyLimits;
  readonly pingIntervalMs: number;
  readonly clock: Clock;
  readonly send: Send;
  readonly bodies: Bodies;
}

export interface JsonFront {
  /** Whether the path is one of REST. */
  serves(path: string): boolean;
  handle(request: NodeRequest, reply: NodeReply): Promise<void>;
  /** Answers a request for what is no RPC with a failure. */
  refuse(request: NodeRequest, reply: NodeReply, error: unknown): void;
}

/** The streaming twin of a unary RPC, for a request with `"stream": true`. */
export const STREAM_OF: ReadonlyMap<DescMethod, DescMethod> = new Map<DescMethod, DescMethod>([
  [GatewayService.method.chat, GatewayService.method.stream],
]);

export function createJsonFront(options: JsonFrontOptions): JsonFront {
  const routes = createRoutes(options.services);
  const refuse = (request: NodeRequest, reply: NodeReply, error: unknown) => {
    const failure = options.door.refuse(error, { headers: headersOf(request), peer: peerOf(request) });
    const wrongVerb = failure.kind === "method_not_allowed";
    const allow = wrongVerb ? { allow: routes.verbs(pathOf(request)).join(", ") } : {};
    sendFailure(reply, failure, allow);
  };
  return {
    serves: (path) => routes.verbs(path).length > 0,
    refuse,
    async handle(request, reply) {
      let match: Match;
      let opened: Request;
      try {
        match = routes.find(request.method ?? "", pathOf(request));
        opened = options.door.open(match.route.rpc, {
          protocol: "rest",
          headers: headersOf(request),
          peer: peerOf(request),
          timeoutMs: timeoutOf(request),
          keepsTime: false,
        });
      } catch (error) {
        return refuse(request, reply, error);
      }
      reply.on("close", () => {
        if (!reply.writableEnded) opened.abort(new Failure("cancelled", "the caller left"));
      });
      await new Exchange(options, opened, match, reply).run(request);
      opened.close();
    },
  };
}

type Whole = Answer & { readonly message: Message };

/** One call over plain HTTP. */
class Exchange {
  private readonly options: JsonFrontOptions;
  private readonly request: Request;
  private readonly match: Match;
  private readonly reply: NodeReply;

  constructor(options: JsonFrontOptions, request: Request, match: Match, reply: NodeReply) {
    this.options = options;
    this.request = request;
    this.match = match;
    this.reply = reply;
  }

  async run(node: NodeRequest): Promise<void> {
    let rpc = this.match.route.rpc;
    let sse: SseWriter | undefined;
    try {
      const text = this.match.route.body ? await readText(node, this.options.limits) : "";
      const known = this.options.bodies.find(rpc, text);
      const message = known ?? read(rpc, this.fields(node, text));
      const twin = STREAM_OF.get(rpc);
      if (twin && (message as ChatRequest).stream) rpc = twin;
      if (rpc.methodKind === "server_streaming") {
        sse = this.sse(rpc);
        const { batches } = await this.request.invoke(message, rpc);
        if (batches) await sse.send(batches);
        sse.end();
      } else {
        const answer = await this.request.invoke(message, rpc);
        if (answer.message) {
          if (!known) this.options.bodies.keep(rpc, text, message, answer.message);
          await this.send(node, rpc.output, answer);
        }
      }
    } catch (error) {
      const failure = this.request.fail(error);
      if (!sse?.fail(failure)) sendFailure(this.reply, failure, this.headers());
    }
  }

  /** The fields of the request, from the body, the query and the path, which has the last word. */
  private fields(node: NodeRequest, text: string): JsonObject {
    const { rpc, body } = this.match.route;
    const fields = body === "*" ? {} : queryToJson(rpc.input, queryOf(node));
    const json = body ? parse(text, this.options.limits) : {};
    if (body === "*") {
      if (typeof json !== "object" || json === null || Array.isArray(json)) {
        throw invalidRequest([{ field: "", description: "the body must be a JSON object" }]);
      }
      return { ...json, ...this.match.fields };
    }
    return { ...fields, ...(body ? { [body]: json } : {}), ...this.match.fields };
  }

  private sse(rpc: DescMethod): SseWriter {
    return new SseWriter(this.reply, {
      clock: this.options.clock,
      pingIntervalMs: this.options.pingIntervalMs,
      signal: this.request.context.signal,
      output: rpc.output,
      encode: jsonWriter(rpc.output),
      headers: () => this.headers(),
    });
  }

  private async send(node: NodeRequest, schema: DescMessage, { message, like }: Whole): Promise<void> {
    const span = startChildSpan(this.request.context.span, "serialize", SpanKind.INTERNAL, {});
    const write = jsonWriter(schema);
    const body = like ? writtenAlike(message, like, write) : write(message);
    span.end();
    const headers = this.headers();
    headers["content-type"] = "application/json";
    await this.options.send(node, this.reply, 200, headers, body);
  }

  private headers(): Record<string, string> {
    return Object.fromEntries(this.request.context.replyHeaders);
  }
}

function read(rpc: DescMethod, json: JsonObject): Message {
  const result = readStrict(rpc.input, json);
  if ("violations" in result) throw invalidRequest(result.violations);
  return result.message;
}

function sendFailure(reply: NodeReply, failure: Failure, headers: Record<string, string>): void {
  if (reply.headersSent || reply.destroyed) return;
  const given = Object.fromEntries(failure.replyHeaders ?? []);
  const all: Record<string, string> = { ...given, ...headers, "content-type": "application/json" };
  if (failure.retryAfterMs !== undefined) all["retry-after"] = retryAfter(failure.retryAfterMs);
  const body = JSON.stringify(toErrorJson(failure));
  reply.writeHead(failure.traits.http, all);
  reply.end(body);
}

function peerOf(request: NodeRequest): string {
  return request.socket.remoteAddress ?? "";
}

/** REST takes its deadline from the same header as Connect. */
function timeoutOf(request: NodeRequest): number | undefined {
  const text = request.headers["connect-timeout-ms"]?.toString();
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw invalidRequest([
    { field: "connect-timeout-ms", description: "the header must be milliseconds in at most 10 digits" },
  ]);
}
