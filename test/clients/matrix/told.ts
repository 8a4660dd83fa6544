/** What a client was told, out of the messages and errors that it printed as JSON. */
import { fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import type { Code, ConnectError } from "@connectrpc/connect";
import { codeToString, errorFromJson } from "@connectrpc/connect/protocol-connect";
import { readFailure } from "../../../clients/typescript/src/error.ts";
import {
  type ChatResponse,
  ChatResponseSchema,
  type StreamResponse,
  StreamResponseSchema,
} from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Told } from "./scenarios.ts";

export type Partly = Omit<Told, "requestId">;

export function toldByReply(json: JsonValue): Partly {
  return toldBy(fromJson(ChatResponseSchema, json, { ignoreUnknownFields: false }));
}

export function toldBy({ response, toolCalls, cost }: ChatResponse): Partly {
  return { text: response, tool: toolCalls[0], costPicoUsd: cost?.actualPicoUsd?.toString() };
}

export function eventOf(json: JsonValue): StreamResponse {
  return fromJson(StreamResponseSchema, json);
}

export function toldByEvents(events: readonly StreamResponse[]): Partly {
  return {
    text: events.map(({ token = "" }) => token).join(""),
    costPicoUsd: events.at(-1)?.costPicoUsd?.toString(),
  };
}

/** An error as Connect writes it in JSON. */
export function toldByError(json: JsonObject): Partly {
  return toldByFailure(errorFromJson(json, undefined, new Error("not an error") as ConnectError));
}

function toldByFailure(error: ConnectError): Partly {
  const failure = readFailure(error, undefined);
  return {
    kind: failure?.kind,
    code: codeToString(error.code),
    retryAfterMs: failure?.retryAfterMs,
    costPicoUsd: failure?.costPicoUsd?.toString(),
  };
}

interface Status {
  readonly code: Code;
  readonly details?: readonly {
    readonly "@type": string;
    readonly reason?: string;
    readonly retryDelay?: string;
    readonly cost?: { readonly actualPicoUsd?: string };
  }[];
}

/** An error as `google.rpc.Status` in JSON. */
export function toldByStatus({ code, details = [] }: Status): Partly {
  const named = (name: string) => details.find((detail) => detail["@type"].endsWith(`/${name}`));
  const delay = named("google.rpc.RetryInfo")?.retryDelay;
  return {
    kind: named("google.rpc.ErrorInfo")?.reason,
    code: codeToString(code),
    retryAfterMs: delay === undefined ? undefined : Number.parseFloat(delay) * 1000,
    costPicoUsd: named("llmgateway.v1.Receipt")?.cost?.actualPicoUsd,
  };
}
