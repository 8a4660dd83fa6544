/**
 * The composition root: what the gateway is made of, and how a call goes through
 * it. The only place that sees the configuration.
 */
import { readFileSync } from "node:fs";
import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Model, ProviderStatus } from "../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Books, PriceFile } from "./books.ts";
import type { CompleteConfig, CompleteProvider } from "./config/defaults.ts";
import { beginCall } from "./core/begin.ts";
import {
  type Call,
  isBatch,
  type Layer,
  type RoutedCall,
  type Service,
  type Tally,
  type Target,
} from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { embedded } from "./core/reply.ts";
import { type Catalog, loadCatalog } from "./cost/catalog.ts";
import { type Pricing, previewAttempt } from "./cost/plan.ts";
import type { Preview } from "./jobs/draft.ts";
import { admit } from "./layers/admit.ts";
import { batch } from "./layers/batch.ts";
import { breaker } from "./layers/breaker.ts";
import { client } from "./layers/client.ts";
import { deadline } from "./layers/deadline.ts";
import { drop } from "./layers/drop.ts";
import { fallback } from "./layers/fallback.ts";
import { guard } from "./layers/guard.ts";
import { hedge } from "./layers/hedge.ts";
import { limit } from "./layers/limit.ts";
import { meter } from "./layers/meter.ts";
import { record, type Signals } from "./layers/record.ts";
import { retry } from "./layers/retry.ts";
import { route } from "./layers/route.ts";
import { suit } from "./layers/suit.ts";
import { timeout } from "./layers/timeout.ts";
import { trace } from "./layers/trace.ts";
import { whole } from "./layers/whole.ts";
import { batchRules, directoryOf, dropsOf, isPriced, knownModels, modelsOf, priceOf } from "./models.ts";
import { type Policies, policiesOf } from "./policies.ts";
import { judge } from "./providers/availability.ts";
import type { Provider } from "./providers/provider.ts";
import { createProvider } from "./providers/registry.ts";
import type { Traffic } from "./providers/traffic.ts";
import type { Standing } from "./resilience/standing.ts";
import { type Authenticate, createAuthenticate } from "./rpc/auth.ts";
import { countAttempt } from "./telemetry/attempts.ts";

/** Everything that follows from one configuration and one catalog. Replaced as a whole by a reload. */
export interface Snapshot {
  readonly config: CompleteConfig;
  readonly service: Service;
  /** Where a request of a job would go and what it would cost; no provider is called. Throws what would refuse it. */
  readonly preview: Preview;
  readonly authenticate: Authenticate;
  readonly prices: PriceFile;
  /** Models that were called and have no price, as `provider/model`. */
  unpricedModels(): string[];
  readonly models: readonly Model[];
  status(): Promise<ProviderStatus[]>;
  /** Lets go of the providers' connections, once the calls on them have ended. */
  close(): Promise<void>;
}

export interface Surroundings {
  /** Holds the providers' keys. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signals: Signals;
  readonly clock: Clock;
  /** Kept over reloads that do not change the limits, so that counts are kept too. */
  readonly admit: Layer;
  /** How calls went lately, kept over all reloads. */
  readonly traffic: Traffic;
  /** How targets do, kept over all reloads. */
  readonly standing: Standing;
  /** What calls come to, kept over all reloads. */
  readonly books: Books;
}

/** @throws ConfigError or a Failure that says what is wrong; nothing is left open then */
export function createSnapshot(config: CompleteConfig, surroundings: Surroundings): Snapshot {
  const { env, clock, traffic, books } = surroundings;
  const json = readFileSync(config.prices.catalogPath, "utf8");
  const catalog = loadCatalog(json, config.prices.catalogPath);
  const providers = new Map(
    Object.entries(config.providers).map(([name, provider]) => [
      name,
      build(name, provider, config, env, clock),
    ]),
  );
  const policies = policiesOf(config, { ...surroundings, random: Math.random });
  const way = (above: Layer<RoutedCall>) => chosen(config, catalog, providers, above);
  const service = stack(config, catalog, providers, way(hedge(policies.hedge)), policies, surroundings);
  return {
    config,
    service,
    preview: createPreview(
      config,
      catalog,
      way((next) => next),
      surroundings,
    ),
    authenticate: createAuthenticate(config.auth.keys),
    prices: { version: catalog.version, json },
    unpricedModels: () => books.unpriced.models.filter((name) => !isPriced(name, config, catalog)),
    models: modelsOf(config, catalog, providers),
    status: () => Promise.all([...providers.values()].map((provider) => statusOf(provider, config, surroundings))),
    close: async () => {
      await Promise.all([...providers.values()].map((provider) => provider.close()));
    },
  };
}

export function createAdmit({ rateLimit }: CompleteConfig): Layer {
  return admit({ requestsPerMinute: rateLimit.rpm, burst: rateLimit.burst });
}

/** The way of a call, from the top. */
function stack(
  config: CompleteConfig,
  catalog: Catalog,
  providers: ReadonlyMap<string, Provider>,
  way: Layer<Call, RoutedCall>,
  policies: Policies,
  { signals, clock, admit, traffic, standing, books }: Surroundings,
): Service<Call> {
  const services = new Map([...providers].map(([name, provider]) => [name, provider.serve]));
  // Outermost, so that it tells every call, refused ones too, and sees the reply as the caller does.
  return record(signals, clock, (row) => books.ledger?.call(row))(
    // Before anything that costs: a refused call has cost nothing.
    admit(
      // Above all that waits or tries again, since all of it must be over in time.
      deadline(clock)(
        way(
          // Below what judges a call, since what is refused there would be refused again.
          retry(policies.retry)(
            // Below retries, so that a call that waits to be made again holds no place.
            limit(policies.limit)(
              // Below the queue, so that what it lets through is what the circuits are like then.
              breaker(
                standing.circuits,
                policies.circuitRule,
                clock,
              )(
                // Bounds an attempt, and so stands above what it aborts.
                timeout(
                  policies.timeouts,
                  clock,
                )(
                  guard(
                    policies.pace,
                    clock,
                  )(
                    // Above the meter, whose settled row it describes.
                    trace()(
                      // Each pass through here is an attempt with a row of its own, whatever becomes of it.
                      meter({
                        ...books,
                        pricing: pricingOf(config, catalog),
                        clock,
                        onSettled: (attempt, call) => {
                          countAttempt(signals.metrics, attempt, call);
                          traffic.settled(attempt);
                          standing.circuits.settled(attempt, policies.circuitRule(attempt.provider));
                          standing.latencies.settled(attempt, call.streaming);
                          books.settled(attempt);
                        },
                      })(
                        // Below the meter, since what the provider refuses to encode was never sent and is the same attempt.
                        drop(dropsOf(config))(client(services)),
                      ),
                    ),
                  ),
                ),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

/** What stands above all that would count a refused call as an attempt, and so judges a job before it is one. */
function chosen(
  config: CompleteConfig,
  catalog: Catalog,
  providers: ReadonlyMap<string, Provider>,
  hedged: Layer<RoutedCall>,
): Layer<Call, RoutedCall> {
  const models = knownModels(config, catalog);
  // A stream whose tokens are not counted would make an estimate of what a job cost.
  const streams = (target: Target) =>
    config.providers[target.provider]?.dialect.streamUsage !== false &&
    models.find(target)?.capabilities?.streaming !== false;
  const routed = route(directoryOf(config, catalog, providers));
  const streamed = whole(streams);
  const suited = suit(models);
  const batched = batch(batchRules(config, catalog, providers));
  // The router names the target: below, a call is one to a provider, and its model is known. What a batch asks for
  // is judged last, since it hangs on how the call is made.
  // A call is judged anew for each target that it comes to, that of a second attempt included.
  const next = fallback();
  return (below) => routed(next(hedged(streamed(suited(batched(below))))));
}

/** The same way, as far as nothing is sent. */
function createPreview(
  config: CompleteConfig,
  catalog: Catalog,
  way: Layer<Call, RoutedCall>,
  { books }: Surroundings,
): Preview {
  const means = { ...books, pricing: pricingOf(config, catalog) };
  const targets = new WeakMap<Tally, Target>();
  const service = way(async (call) => {
    targets.set(call.tally, call.target);
    call.tally.estimated = await previewAttempt(call, means);
    return embedded([]);
  });
  return async (request, context) => {
    const parking = { parked: undefined, park: async () => {} };
    const asJob = { ...context, protocol: "job" } as const;
    const call = beginCall(request, asJob, !isBatch({ request }), parking);
    await service(call);
    const target = targets.get(call.tally);
    if (!target) throw new Error("the router named no target");
    return { target, estimated: call.tally.estimated };
  };
}

function build(
  name: string,
  provider: CompleteProvider,
  { stream }: CompleteConfig,
  env: Surroundings["env"],
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

function pricingOf(config: CompleteConfig, catalog: Catalog): Pricing {
  // Where nothing is priced, no model is known by its price.
  const unknownModels = config.prices.trackingEnabled ? config.prices.unknownModels : "allow";
  return {
    version: catalog.version,
    find: (target, atMs) => priceOf(config, catalog, target, atMs),
    kindOf: (provider) => config.providers[provider]?.kind ?? "",
    unknownModels: unknownModels as Pricing["unknownModels"],
  };
}

async function statusOf(
  provider: Provider,
  config: CompleteConfig,
  { traffic, standing }: Surroundings,
): Promise<ProviderStatus> {
  const { name, kind } = provider;
  const said = await provider.availability();
  const recent = traffic.recent(name);
  const { status, reason, checkedAtMs } = judge(said, recent);
  return {
    $typeName: "llmgateway.v1.ProviderStatus",
    name,
    kind,
    status,
    reason,
    defaultModel: config.providers[name]?.defaultModel ?? "",
    checkedAt: checkedAtMs === undefined ? undefined : timestampFromMs(checkedAtMs),
    recent,
    circuit: standing.circuits.provider(name).state,
  };
}
