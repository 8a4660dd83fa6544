/** The configured providers: how each is made, and how each of them is. */
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ProviderStatus } from "../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { CompleteConfig, CompleteProvider } from "./config/defaults.ts";
import type { Environment } from "./config/environment.ts";
import type { Clock } from "./core/clock.ts";
import { judge } from "./providers/availability.ts";
import type { Provider } from "./providers/provider.ts";
import { createProvider } from "./providers/registry.ts";
import type { Traffic } from "./providers/traffic.ts";
import type { Standing } from "./resilience/standing.ts";

/** What calls to them showed. */
export interface Seen {
  readonly traffic: Traffic;
  readonly standing: Standing;
}

/** By their names. */
export function providersOf(
  config: CompleteConfig,
  env: Environment,
  clock: Clock,
): ReadonlyMap<string, Provider> {
  const named = Object.entries(config.providers);
  return new Map(named.map(([name, provider]) => [name, providerOf(name, provider, config, env, clock)]));
}

function providerOf(
  name: string,
  provider: CompleteProvider,
  { stream }: CompleteConfig,
  env: Environment,
  clock: Clock,
): Provider {
  return createProvider({
    name,
    config: provider,
    keys: keysIn(provider.apiKeyEnv ? env[provider.apiKeyEnv] : undefined),
    env,
    connectTimeoutMs: durationMs(provider.timeouts.connect),
    maxConnections: provider.maxConnections,
    bufferedReads: stream.bufferSize,
    clock,
    random: Math.random,
  });
}

function keysIn(value = ""): string[] {
  return value.split(",").filter(Boolean);
}

export async function statusOf(
  provider: Provider,
  config: CompleteConfig,
  { traffic, standing }: Seen,
): Promise<ProviderStatus> {
  const { name, kind } = provider;
  const said = await provider.availability();
  const recent = traffic.recent(name);
  const circuit = standing.circuits.provider(name);
  const { status, reason, checkedAtMs } = judge(said, recent, circuit);
  return {
    $typeName: "llmgateway.v1.ProviderStatus",
    name,
    kind,
    status,
    reason,
    defaultModel: config.providers[name]?.defaultModel ?? "",
    checkedAt: checkedAtMs === undefined ? undefined : timestampFromMs(checkedAtMs),
    recent,
    circuit: circuit.state,
  };
}
