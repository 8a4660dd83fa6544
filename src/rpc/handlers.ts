/** What each RPC of GatewayService does: what a model is asked goes down the stack, the rest is read off the gateway's state. */
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { CompareRequest } from "../../gen/ts/llmgateway/v1/compare_pb.ts";
import type { EmbedRequest } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import {
  type DryRunResponse,
  GatewayService,
  type GetStatusResponse,
  GetStatusResponseSchema,
  type ListModelsRequest,
  type ListModelsResponse,
  ListModelsResponseSchema,
  type Model,
  type ProviderStatus,
} from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { beginCall } from "../core/begin.ts";
import type { RequestContext } from "../core/call.ts";
import { invalidRequest } from "../core/failure.ts";
import { fold, foldEmbeddings } from "../core/reply.ts";
import { compare as compareModels, type Means } from "./compare.ts";
import type { Handler } from "./door.ts";

/** What the handlers need of the gateway. Read anew for each request, since a reload replaces it. */
export interface Backend extends Means {
  readonly version: string;
  readonly draining: boolean;
  readonly priceVersion: string;
  models(): readonly Model[];
  unpricedModels(): string[];
  /** What would become of a request. Throws the Failure that would refuse it. */
  dryRun(request: ChatRequest, context: RequestContext): Promise<DryRunResponse>;
  /** Asks each provider, or remembers its answer. */
  status(): Promise<ProviderStatus[]>;
}

export function createHandlers(backend: () => Backend): ReadonlyMap<DescMethod, Handler> {
  const { chat, stream, compare, embed, dryRun, listModels, getStatus } = GatewayService.method;
  return new Map<DescMethod, Handler>([
    [
      chat,
      async (message, context) => {
        const request = message as ChatRequest;
        if (request.stream) {
          throw invalidRequest([
            { field: "stream", description: "must be false here: call Stream for a stream" },
          ]);
        }
        const reply = await backend().service(beginCall(request, context, false));
        return { message: await fold(reply), like: reply.whole?.content };
      },
    ],
    [
      stream,
      async (message, context) => {
        const reply = await backend().service(beginCall(message as ChatRequest, context, true));
        return { batches: reply.events };
      },
    ],
    [
      compare,
      async (message, context) => ({
        batches: compareModels(message as CompareRequest, context, backend()),
      }),
    ],
    [
      embed,
      async (message, context) => {
        const reply = await backend().service(beginCall(message as EmbedRequest, context, false));
        return { message: await foldEmbeddings(reply) };
      },
    ],
    [
      dryRun,
      async (message, context) => ({ message: await backend().dryRun(message as ChatRequest, context) }),
    ],
    [listModels, async (message) => ({ message: modelsOf(backend(), message as ListModelsRequest) })],
    [getStatus, async () => ({ message: await statusOf(backend()) })],
  ]);
}

function modelsOf(backend: Backend, { provider }: ListModelsRequest): ListModelsResponse {
  const models = backend.models();
  const wanted = provider ? models.filter((model) => model.provider === provider) : models;
  return create(ListModelsResponseSchema, { models: [...wanted] });
}

async function statusOf(backend: Backend): Promise<GetStatusResponse & Message> {
  return create(GetStatusResponseSchema, {
    status: backend.draining ? "draining" : "serving",
    version: backend.version,
    priceVersion: backend.priceVersion,
    providers: await backend.status(),
    unpricedModels: backend.unpricedModels(),
  });
}
