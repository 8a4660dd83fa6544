/** The client's methods for operators. Where the gateway has API keys, they take one with the scope `admin`. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import {
  type AdminService,
  type Circuit,
  ListCircuitsRequestSchema,
  type ListCircuitsResponse,
  SetCircuitRequestSchema,
} from "../../../gen/ts/llmgateway/v1/admin_pb.ts";
import type { CallOptions } from "./call.ts";
import type { Unary } from "./jobs.ts";

export interface Admin {
  /** Lists the circuits of all providers, and those of their models that are not as usual. */
  listCircuits(
    request?: MessageInitShape<typeof ListCircuitsRequestSchema>,
    options?: CallOptions,
  ): Promise<ListCircuitsResponse>;
  /** Opens or closes a circuit by hand, or leaves it to itself again. */
  setCircuit(
    request: MessageInitShape<typeof SetCircuitRequestSchema>,
    options?: CallOptions,
  ): Promise<Circuit>;
}

export function adminOver(rpc: Client<typeof AdminService>, unary: Unary): Admin {
  return {
    listCircuits: (request = {}, options = {}) =>
      unary(ListCircuitsRequestSchema, rpc.listCircuits, request, options),
    setCircuit: (request, options = {}) => unary(SetCircuitRequestSchema, rpc.setCircuit, request, options),
  };
}
