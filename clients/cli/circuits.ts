/** `llmgateway circuits`: to which providers and models calls are sent, and the operator's word on it. */
import { toJsonString } from "@bufbuild/protobuf";
import {
  type Circuit,
  CircuitSchema,
  ListCircuitsResponseSchema,
} from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { type CallOptions, call, JSON_OPTIONS } from "./call.ts";
import { when } from "./jobs.ts";
import { table } from "./table.ts";

export interface CircuitsOptions extends CallOptions {
  readonly json: boolean;
}

export interface CircuitName {
  readonly provider: string;
  /** Empty for the provider as a whole. */
  readonly model: string;
}

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;
const HEAD = ["CIRCUIT", "STATE", "MODE", "ATTEMPTS", "FAILURES", "TIMEOUTS", "OPENED", "NEXT PROBE"];

export function listCircuits({ json, ...options }: CircuitsOptions): Promise<number> {
  return call(options, async (gateway, signal) => {
    const reply = await gateway.listCircuits({}, { signal });
    process.stdout.write(
      json ? `${toJsonString(ListCircuitsResponseSchema, reply, PRETTY)}\n` : tableOf(reply.circuits),
    );
  });
}

export function setCircuit(
  name: CircuitName,
  mode: "open" | "closed" | "automatic",
  { json, ...options }: CircuitsOptions,
): Promise<number> {
  return call(options, async (gateway, signal) => {
    const circuit = await gateway.setCircuit({ ...name, mode }, { signal });
    process.stdout.write(json ? `${toJsonString(CircuitSchema, circuit, PRETTY)}\n` : tableOf([circuit]));
  });
}

function tableOf(circuits: readonly Circuit[]): string {
  return table(
    HEAD,
    circuits.map(({ provider, model, state, mode, attempts, failures, timeouts, openedAt, probeAt }) => [
      model ? `${provider}/${model}` : provider,
      state,
      mode,
      String(attempts),
      String(failures),
      String(timeouts),
      when(openedAt),
      when(probeAt),
    ]),
  );
}
