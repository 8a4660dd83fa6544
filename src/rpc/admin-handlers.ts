/** What each RPC of AdminService does. Who may call them is the door's to say. */
import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  AdminService,
  type Circuit,
  CircuitSchema,
  type ListCircuitsResponse,
  ListCircuitsResponseSchema,
  type SetCircuitRequest,
} from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { Failure } from "../core/failure.ts";
import type { Mode, Circuit as Standing } from "../resilience/circuit.ts";
import type { Circuits } from "../resilience/circuits.ts";
import type { Handler } from "./door.ts";

export interface AdminBackend {
  readonly circuits: Circuits;
  /** Those that are configured. */
  providers(): readonly string[];
}

export function adminHandlers(backend: AdminBackend): ReadonlyMap<DescMethod, Handler> {
  const { listCircuits, setCircuit } = AdminService.method;
  return new Map<DescMethod, Handler>([
    [listCircuits, async () => ({ message: listOf(backend) })],
    [setCircuit, async (message) => ({ message: set(backend, message as SetCircuitRequest) })],
  ]);
}

function listOf({ circuits, providers }: AdminBackend): ListCircuitsResponse & Message {
  const ofProviders = providers().map((name) => circuitOf(name, "", circuits.provider(name)));
  const ofModels = [...circuits.ofModels()]
    .map(({ target, circuit }) => circuitOf(target.provider, target.model, circuit))
    .filter(({ attempts, state, mode }) => attempts > 0 || state !== "closed" || mode !== "automatic");
  const all = [...ofProviders, ...ofModels].sort((a, b) => order(a, b));
  return create(ListCircuitsResponseSchema, { circuits: all });
}

function order(a: Circuit, b: Circuit): number {
  return a.provider.localeCompare(b.provider) || a.model.localeCompare(b.model);
}

function set({ circuits, providers }: AdminBackend, { provider, model, mode }: SetCircuitRequest): Circuit {
  if (!providers().includes(provider)) {
    const description = `there is no provider "${provider}"; there are ${providers().join(", ")}`;
    throw new Failure("not_found", `provider: ${description}`, {
      violations: [{ field: "provider", description }],
    });
  }
  const circuit = model ? circuits.ofModel({ provider, model }) : circuits.provider(provider);
  circuit.set(mode as Mode);
  return circuitOf(provider, model, circuit);
}

function circuitOf(provider: string, model: string, { state, mode, figures, times }: Standing): Circuit {
  const { openedAtMs, probeAtMs } = times ?? {};
  return create(CircuitSchema, {
    provider,
    model,
    state,
    mode,
    ...figures,
    ...(openedAtMs === undefined ? {} : { openedAt: timestampFromMs(openedAtMs) }),
    ...(state === "open" && probeAtMs !== undefined ? { probeAt: timestampFromMs(probeAtMs) } : {}),
  });
}
