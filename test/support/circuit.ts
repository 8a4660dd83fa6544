/** The circuits' rule as it is by default. */
import type { CircuitRule } from "../../src/resilience/circuit.ts";

export const CIRCUIT_RULE: CircuitRule = {
  enabled: true,
  errorRate: 0.5,
  timeoutRate: 0.3,
  minCalls: 10,
  openForMs: 30_000,
  probes: 1,
};
