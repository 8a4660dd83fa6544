/** `llmgateway circuits`: whether calls are sent to providers and models, and setting that by hand. */
import { toJsonString } from "@bufbuild/protobuf";
import {
  type Circuit,
  CircuitSchema,
  ListCircuitsResponseSchema,
} from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { type JsonOptions, when } from "./jobs.ts";
import { table } from "./table.ts";

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;
const HEAD = ["CIRCUIT", "STATE", "MODE", "ATTEMPTS", "FAILED", "TOO SLOW", "SINCE", "NEXT PROBE"];

export function listCircuits({ json, ...options }: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) => {
    const list = await gateway.listCircuits({ signal });
    const text = json
      ? `${toJsonString(ListCircuitsResponseSchema, list, PRETTY)}\n`
      : table(HEAD, list.circuits.map(rowOf));
    process.stdout.write(text);
  });
}

/** A model is empty for the provider as a whole. */
export function setCircuit(
  target: { readonly provider: string; readonly model: string },
  mode: "automatic" | "open" | "closed",
  { json, ...options }: JsonOptions,
): Promise<number> {
  return call(options, async (gateway, signal) => {
    const circuit = await gateway.setCircuit({ ...target, mode }, { signal });
    const text = json ? `${toJsonString(CircuitSchema, circuit, PRETTY)}\n` : table(HEAD, [rowOf(circuit)]);
    process.stdout.write(text);
  });
}

function rowOf({ provider, model, state, mode, attempts, failures, timeouts, ...times }: Circuit): string[] {
  const counts = [attempts, failures, timeouts].map(String);
  const name = model ? `${provider}/${model}` : provider;
  return [name, state, mode, ...counts, when(times.openedAt), when(times.probeAt)];
}
