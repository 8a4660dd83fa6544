/**
 * The composition root: what the gateway is made of, and how a call goes through
 * it. The only place that sees the configuration.
 */
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Model, ProviderStatus } from "../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { Attempt } from "../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Books, PriceFile } from "./books.ts";
import { type Cached, type Keeping, keepingOf } from "./cached.ts";
import { cachingOf } from "./caching.ts";
import { comparingOf } from "./comparing.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import { readNamed } from "./config/named-file.ts";
import { type Call, type Layer, type RoutedCall, type Service, WARMING } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { sessionOf } from "./core/session.ts";
import { UnderWay } from "./core/under-way.ts";
import { type Catalog, loadCatalog } from "./cost/catalog.ts";
import type { Pricing } from "./cost/means.ts";
import type { TipMeans } from "./cost/tips/tips.ts";
import type { Experiments } from "./experimenting.ts";
import { admit } from "./layers/admit.ts";
import { breaker } from "./layers/breaker.ts";
import { cache, lookUp, withoutCache } from "./layers/cache.ts";
import { client } from "./layers/client.ts";
import { deadline } from "./layers/deadline.ts";
import { drop } from "./layers/drop.ts";
import { experiment } from "./layers/experiment.ts";
import { guard } from "./layers/guard.ts";
import { hedge } from "./layers/hedge.ts";
import { idempotent } from "./layers/idempotent.ts";
import { limit } from "./layers/limit.ts";
import { meter } from "./layers/meter.ts";
import { masked, moderate } from "./layers/moderate.ts";
import { record, type Signals } from "./layers/record.ts";
import { remember } from "./layers/remember.ts";
import { repeat } from "./layers/repeat.ts";
import { retry } from "./layers/retry.ts";
import { semantic } from "./layers/semantic.ts";
import { expanded, template } from "./layers/template.ts";
import { timeout } from "./layers/timeout.ts";
import { trace } from "./layers/trace.ts";
import { directoryOf, dropsOf, familiesOf, isPriced, modelsOf, pricingOf, tipMeansOf } from "./models.ts";
import { moderatingOf } from "./moderating.ts";
import { type Policies, policiesOf } from "./policies.ts";
import { createPreviews, type Previews } from "./preview.ts";
import type { Provider } from "./providers/provider.ts";
import type { Traffic } from "./providers/traffic.ts";
import { providersOf, statusOf } from "./providing.ts";
import type { Standing } from "./resilience/standing.ts";
import { type Authenticate, createAuthenticate } from "./rpc/auth.ts";
import { countAttempt } from "./telemetry/attempts.ts";
import type { Room } from "./templates/expand.ts";
import { Templates } from "./templates/templates.ts";
import type { Transcribing } from "./transcribing.ts";
import { booking, varied } from "./varied.ts";
import { wayOf } from "./way.ts";

/** Everything that follows from one configuration and one catalog. Replaced as a whole by a reload. */
export interface Snapshot extends Previews, Keeping {
  readonly config: CompleteConfig;
  readonly service: Service;
  readonly authenticate: Authenticate;
  readonly prices: PriceFile;
  /**
   * By another catalog, as JSON; by the one in force when it is empty.
   *
   * @throws CatalogError
   */
  pricesOf(catalog: string): Pricing;
  readonly pricing: Pricing;
  readonly tips: TipMeans;
  /** Models that were called and have no price, as `provider/model`. */
  unpricedModels(): string[];
  /** With the prices of now. */
  models(): readonly Model[];
  readonly templates: Templates;
  /** What requests that are made of templates may have. */
  readonly room: Room;
  status(): Promise<ProviderStatus[]>;
  /** Lets go of the providers' connections, once the calls on them have ended. */
  close(): Promise<void>;
}

export interface Surroundings extends Omit<Cached, "memory"> {
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
  /** Kept over all reloads. */
  readonly experiments: Experiments;
  /** Keeps what is said, over all reloads. */
  readonly transcribing: Transcribing;
}

/** @throws ConfigError, CatalogError or a Failure that says what is wrong; nothing is left open then */
export function createSnapshot(config: CompleteConfig, surroundings: Surroundings): Snapshot {
  const { env, clock, books } = surroundings;
  const { laboratory } = surroundings.experiments;
  const json = readNamed(config.prices.catalogPath, "prices.catalog_path");
  const catalog = loadCatalog(json, config.prices.catalogPath);
  const providers = providersOf(config, env, clock);
  const policies = policiesOf(config, { ...surroundings, random: Math.random });
  const way = wayOf(config, catalog, providers, surroundings);
  const sent = way({
    hedged: hedge(policies.hedge),
    onCheaper: ({ provider, model }) => surroundings.signals.metrics.costOptimized.inc({ provider, model }),
  });
  const asked = way({ hedged: (next) => next, onCheaper: () => {} });
  const underWay = new UnderWay();
  const pricing = pricingOf(config, catalog);
  const moderating = moderatingOf(config, surroundings);
  const looked: Layer = moderating.hooks.length > 0 ? moderate(moderating) : (next) => next;
  const moderated = surroundings.transcribing.around(looked, config);
  const caching = cachingOf(config, {
    directory: directoryOf(config, catalog, providers),
    familyOf: familiesOf(config, catalog),
    answers: surroundings.answers,
    turns: surroundings.turns,
    clock,
  });
  // Above the cache, which may have forgotten: what is made under a key is made once.
  const once = idempotent({ ...books.keys, windowMs: durationMs(config.cache.idempotencyWindow) });
  surroundings.frequent.bound(caching.isOn ? config.cache.rememberRequests : 0);
  const remembered = remember(surroundings.frequent, (request) => caching.ruleOf(request)?.family);
  const kept: Layer = caching.isOn ? (next) => remembered(cache(caching)(next)) : withoutCache(caching);
  // What stands between is passed by: where it looks at each call, nothing is repeated.
  const isPlain = moderating.hooks.length === 0 && !config.contentCapture.enabled;
  const isRepeated = caching.isOn && isPlain && Object.keys(config.experiments).length === 0;
  const repeated: Layer = isRepeated ? repeat({ ...caching, around: remembered }) : (next) => next;
  const comparing = comparingOf(config, {
    ...surroundings,
    ruleOf: caching.ruleOf,
    familyOf: familiesOf(config, catalog),
  });
  const templates = new Templates(config.templates);
  const room = { maxLength: config.server.maxBodyBytes };
  const made = template(templates, room);
  const service = stack(
    config,
    catalog,
    providers,
    (retried) => (below) => {
      const routed = sent(retried(below));
      const answered = kept(comparing ? semantic(comparing, below)(routed) : routed);
      const shared = once(varied(config, answered, routed, underWay, surroundings));
      // Templates above all that looks at what is asked: one may say who answers, and what. Moderation above what keeps
      // answers: they are kept as they were given to what was left of the request, and looked at each time.
      return made(moderated(shared));
    },
    policies,
    repeated,
    underWay,
    surroundings,
  );
  return {
    config,
    service,
    ...createPreviews({
      way:
        Object.keys(config.experiments).length > 0 ? (below) => experiment(laboratory)(asked(below)) : asked,
      admit: surroundings.admit,
      expand: (call) => expanded(call, templates, room),
      moderated: (call) => masked(call, moderating),
      lookUp: async (call) => (caching.isOn ? lookUp(laboratory.resent(call), caching) : undefined),
      rehearse: drop(dropsOf(config))(
        client(new Map([...providers].map(([name, provider]) => [name, provider.rehearse]))),
      ),
      means: { ...books, pricing },
    }),
    pricing,
    tips: tipMeansOf(config, catalog, clock),
    authenticate: createAuthenticate(config.auth.keys),
    prices: { version: catalog.version, json },
    pricesOf: (other) => pricingOf(config, other === "" ? catalog : loadCatalog(other, "catalog")),
    ...keepingOf(caching, caching.isOn, (call) => expanded(call, templates, room)),
    templates,
    room,
    unpricedModels: () =>
      books.unpriced.models.filter((name) => !isPriced(name, config, catalog, clock.now())),
    models: () => modelsOf(config, catalog, providers, clock.now()),
    status: () =>
      Promise.all([...providers.values()].map((provider) => statusOf(provider, config, surroundings))),
    close: async () => {
      // Those that wait for a place or to try again have no connection yet, and will want one.
      await underWay.none();
      await Promise.all([...providers.values(), moderating].map((one) => one.close()));
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
  way: (retried: Layer<RoutedCall>) => Layer<Call, RoutedCall>,
  policies: Policies,
  repeated: Layer,
  underWay: UnderWay,
  { signals, clock, admit, traffic, standing, books, cacheStats, experiments }: Surroundings,
): Service<Call> {
  const book = booking(books, experiments);
  const services = new Map([...providers].map(([name, provider]) => [name, provider.serve]));
  // Outermost, so that it tells every call, refused ones too, and sees the reply as the caller does.
  return record(
    signals,
    clock,
    (row) => {
      book(row);
      if (row.method !== WARMING) cacheStats.count(row.receipt);
    },
    underWay,
  )(
    // Before anything that costs: a refused call has cost nothing.
    admit(
      // Above all that would only find out again what it was given for the same bytes, at no cost.
      repeated(
        // Above all that waits or tries again, since all of it must be over in time.
        deadline(clock)(
          way(
            // Below what judges a call, since what is refused there would be refused again.
            retry(policies.retry),
          )(
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
                        onSent: (attempt) => standing.circuits.sent(attempt),
                        onSpoke: (attempt, { signal }) => standing.circuits.spoke(attempt, signal),
                        onSettled: (attempt, call, failure) => {
                          countAttempt(signals.metrics, attempt, call, books.ledger !== undefined);
                          // What a batch came to, hours later, says neither who serves now nor how fast.
                          const late = call.parking?.parked !== undefined;
                          const saysNothing = late || failure?.impatient === true;
                          const rule = policies.circuitRule(attempt.provider);
                          standing.circuits.settled(attempt, rule, saysNothing);
                          if (!saysNothing) traffic.settled(attempt);
                          if (!late) standing.latencies.settled(attempt, call.streaming);
                          rememberSession(attempt, call, books);
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

/** Where a session was served, its prompt may be cached. */
function rememberSession(
  { outcome, usage, ...target }: Attempt,
  call: RoutedCall,
  { sessions }: Books,
): void {
  const session = sessionOf(call);
  if (session && outcome === "ok" && usage) sessions.served(session, target, usage.inputTokens);
}
