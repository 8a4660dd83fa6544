/** The TypeScript client, over each of its transports. */

import { fromJson } from "@bufbuild/protobuf";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import {
  type CallOptions,
  createGateway,
  type Gateway,
  GatewayError,
  type TransportName,
} from "../../../clients/typescript/src/node.ts";
import { type ChatRequest, ChatRequestSchema } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { DEADLINE_MS, type MatrixClient, REQUESTS, type Scenario, type Told } from "./scenarios.ts";

export function typescriptClient(transport: TransportName): MatrixClient {
  return {
    name: `TypeScript client, ${transport}`,
    missing: () => undefined,
    async run(scenario, url) {
      const requestId = crypto.randomUUID();
      const gateway = createGateway({ baseUrl: url, transport, retry: false });
      const request = fromJson(ChatRequestSchema, REQUESTS[scenario]);
      try {
        return { requestId, ...(await RUN[scenario](gateway, request, { requestId })) };
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        return { requestId, ...failureOf(error) };
      }
    },
  };
}

type Run = (gateway: Gateway, request: ChatRequest, options: CallOptions) => Promise<Partial<Told>>;

const RUN: Readonly<Record<Scenario, Run>> = {
  chat: whole,
  tool: whole,
  error: whole,
  deadline: (gateway, request, options) => whole(gateway, request, { ...options, timeoutMs: DEADLINE_MS }),
  async stream(gateway, request, options) {
    const stream = gateway.stream(request, options);
    const text = await stream.text();
    const { cost } = await stream.receipt;
    return { text, costPicoUsd: String(cost?.actualPicoUsd) };
  },
  async abort(gateway, request, options) {
    const stream = gateway.stream(request, options);
    let text = "";
    try {
      for await (const { token } of stream) {
        text += token ?? "";
        stream.abort();
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      return { text, ...failureOf(error) };
    }
    return { text };
  },
};

async function whole(gateway: Gateway, request: ChatRequest, options: CallOptions): Promise<Partial<Told>> {
  const reply = await gateway.chat(request, options);
  return {
    text: reply.response,
    tool: reply.toolCalls[0],
    costPicoUsd: String(reply.cost?.actualPicoUsd),
  };
}

function failureOf(error: GatewayError): Partial<Told> {
  return {
    kind: error.kind,
    code: codeToString(error.code),
    retryAfterMs: error.retryAfterMs,
    costPicoUsd: error.costPicoUsd?.toString(),
  };
}
