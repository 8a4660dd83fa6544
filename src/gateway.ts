/** A running gateway: the fronts on their port, the snapshot behind them, its reloads and its end. */
import { randomUUID } from "node:crypto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { DestinationStream } from "pino";
import { createAdmit, createSnapshot, type Snapshot } from "./app.ts";
import { checkSecrets, openBacklog } from "./backlog.ts";
import { type Books, openBooks } from "./books.ts";
import { type Cached, openCached } from "./cached.ts";
import { readCertificate } from "./config/certificate.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import { checkSuccessor, configLoader } from "./config/load.ts";
import { configPaths } from "./config/templates.ts";
import { watchConfig } from "./config/watch.ts";
import { type Clock, pass, systemClock } from "./core/clock.ts";
import { Failure } from "./core/failure.ts";
import { messageOf } from "./core/message.ts";
import { Readiness } from "./core/readiness.ts";
import { type Experiments, openExperiments } from "./experimenting.ts";
import { createFronts, SERVICES } from "./fronts.ts";
import { Traffic } from "./providers/traffic.ts";
import { createStanding } from "./resilience/standing.ts";
import { adjustmentHandlers } from "./rpc/adjustment-handlers.ts";
import { adminHandlers } from "./rpc/admin-handlers.ts";
import { audited } from "./rpc/audit.ts";
import { cacheHandlers } from "./rpc/cache-handlers.ts";
import { createDoor } from "./rpc/door.ts";
import { toConnectError } from "./rpc/errors.ts";
import { experimentHandlers } from "./rpc/experiment-handlers.ts";
import { createHandlers } from "./rpc/handlers.ts";
import { serveHealth } from "./rpc/health.ts";
import { jobHandlers } from "./rpc/job-handlers.ts";
import { listen, urlOf } from "./rpc/listener.ts";
import { serveReflection } from "./rpc/reflection.ts";
import { repriceHandler } from "./rpc/reprice-handler.ts";
import { templateHandlers } from "./rpc/template-handlers.ts";
import { usageHandlers } from "./rpc/usage-handlers.ts";
import { watchSpending } from "./spending.ts";
import { showStanding } from "./standing.ts";
import { openStore, type Store } from "./store/store.ts";
import { createLog, type Log } from "./telemetry/log.ts";
import { createMetrics } from "./telemetry/metrics.ts";
import { startTracing } from "./telemetry/trace.ts";
import { openTranscribing } from "./transcribing.ts";
import { VERSION } from "./version.ts";

/** For callers whose call was ended to hear why, before their connections are cut. */
const LAST_WORDS_MS = 500;

export interface GatewayOptions {
  /** Path of the YAML configuration; undefined for the environment alone. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For tests; the system's by default. */
  readonly clock?: Clock;
  /** Where the log goes; standard output by default. */
  readonly logTo?: DestinationStream;
}

export interface Gateway {
  readonly url: string;
  readonly config: CompleteConfig;
  /**
   * Fails readiness, stops accepting after the drain delay, lets calls finish within the drain time, and lets
   * go of everything. Asked again, it is the same end.
   */
  close(): Promise<void>;
}

/** @throws ConfigError, CatalogError, or the error of the store or the port; nothing is left open then */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { env, clock = systemClock } = options;
  const load = configLoader({ file: options.file, env });
  const config = load();
  const certificate = config.server.tls && readCertificate(config.server.tls);
  const log = createLog(config.telemetry.logLevel, options.logTo);
  const metrics = createMetrics();
  const signals = { logger: log.logger, metrics };
  const { otlpEndpoint: endpoint, serviceName } = config.telemetry;
  const onLost = (error: unknown) =>
    log.logger.warn({ failure: messageOf(error) }, "the last spans could not be exported");
  const stopTracing = endpoint
    ? await startTracing({ endpoint, serviceName, clock, onLost })
    : async () => {};

  let admit = createAdmit(config);
  const traffic = new Traffic(clock);
  const standing = createStanding(clock, (provider, model, state) => {
    metrics.circuitTransitions.inc({ provider, model, state });
    log.logger[state === "open" ? "warn" : "info"]({ provider, model: model || undefined, state }, "circuit");
  });
  const readiness = new Readiness();
  checkSecrets(config, env);
  const store = await openStoreOf(config, { env, log, readiness });
  let current: Snapshot;
  let books: Books | undefined;
  let cached: Cached | undefined;
  let experiments: Experiments;
  const desk = { env, signals, clock };
  const transcribing = openTranscribing(config, store.transcripts, {
    ...desk,
    isHeldUp: () => (books?.ledger?.unwrittenRows ?? 0) > config.ledger.maxWaitingRows / 4,
  });
  try {
    cached = await openCached(config, { ...desk, store: store.known });
    books = await openBooks(config, store, desk);
    experiments = await openExperiments(config, { store, signals, clock });
    const around = { ...desk, admit, traffic, standing, books, experiments, transcribing, ...cached };
    current = createSnapshot(config, around);
    await books.keep(current.prices);
  } catch (error) {
    await transcribing.close();
    await cached?.close();
    await books?.close();
    await store.close();
    throw error;
  }
  const backlog = openBacklog({ store, env, inForce: () => current, signals, clock });
  const flush = async () => books?.ledger?.flush();
  const spendable = { store, flush, said: transcribing, inForce: () => current, signals, clock };
  const spending = watchSpending(spendable);
  showStanding(metrics.registry, standing, () => Object.keys(current.config.providers));
  const closing = new AbortController();

  // Also that of a configuration which could not be put in force: its prices may be what is mended.
  let latest = config;
  const replace = () => {
    const next = load();
    latest = next;
    checkSuccessor(next, current.config);
    checkSecrets(next, env);
    const admitting = sameLimits(next, current.config) ? admit : createAdmit(next);
    const around = {
      ...desk,
      admit: admitting,
      traffic,
      standing,
      books,
      experiments,
      transcribing,
      ...cached,
    };
    const snapshot = createSnapshot(next, around);
    const old = current;
    current = snapshot;
    admit = admitting;
    books.replace(next);
    cached.replace(next);
    experiments.replace(next);
    transcribing.replace(next);
    books.keep(snapshot.prices).catch((error: unknown) => log.logger.error({ err: error }, "price catalog"));
    old.close().catch((error: unknown) => log.logger.error({ err: error }, "old connections"));
    return snapshot;
  };
  const watching = watchConfig<Snapshot>({
    paths: () => [...configPaths(options.file), current.config.prices.catalogPath, latest.prices.catalogPath],
    load: replace,
    onLoaded: ({ prices }) => {
      metrics.configReloads.inc({ success: "true" });
      log.logger.info({ price_version: prices.version }, "configuration reloaded");
    },
    onFailed: (error) => {
      metrics.configReloads.inc({ success: "false" });
      log.logger.error({ failure: messageOf(error) }, "configuration refused; the one before stays in force");
    },
    clock,
  });

  const repricing = {
    ...spending,
    prices: (catalog: string) => {
      const { pricesOf, prices } = current;
      return { ...pricesOf(catalog), json: catalog || prices.json };
    },
    adjustments: store.adjustments,
    keepCatalog: (version: string, json: string) => store.ledger.keepCatalog(version, json, clock.now()),
  };
  const door = createDoor({
    handlers: audited(
      new Map([
        ...createHandlers(() => ({
          ...current,
          priceVersion: current.prices.version,
          version: VERSION,
          draining: readiness.has("draining"),
        })),
        ...templateHandlers(() => current),
        ...jobHandlers(backlog.jobs),
        ...adminHandlers({
          circuits: standing.circuits,
          providers: () => Object.keys(current.config.providers),
        }),
        ...cacheHandlers({ ...cached, clock, inForce: () => current }),
        ...experimentHandlers(experiments),
        ...usageHandlers(spending),
        repriceHandler(repricing),
        ...adjustmentHandlers(repricing),
      ]),
      log.logger,
    ),
    authenticate: (headers) => current.authenticate(headers),
    signals,
    clock,
  });
  const { server } = config;
  const handler = createFronts(server, {
    clock,
    door,
    isOpen: () => current.config.auth.keys.length === 0,
    readiness,
    registry: metrics.registry,
    ungated: (router) => {
      serveHealth(router, { services: SERVICES, readiness, closing: closing.signal });
      // The last, since it tells what is mounted.
      if (server.reflection) serveReflection(router, closing.signal);
    },
  });
  const letGo = async () => {
    await experiments.close();
    await current.close();
    await spending.stop();
    await cached.close();
    await books.close();
    await transcribing.close();
    await store.close();
    await stopTracing();
  };
  const listener = await listen({
    host: server.host,
    port: server.port,
    tls: certificate,
    http2: {
      maxConcurrentStreams: server.http2.maxConcurrentStreams,
      pingIntervalMs: durationMs(server.http2.pingInterval),
      pingTimeoutMs: durationMs(server.http2.pingTimeout),
    },
    handler,
    clock,
  }).catch(async (error: unknown) => {
    // A process that nobody can reach must not go on running jobs.
    watching.close();
    await backlog.close(0);
    await letGo();
    await log.close();
    throw error;
  });
  log.logger.info({ host: listener.host, port: listener.port, version: VERSION }, "listening");

  const stop = async () => {
    readiness.fail("draining", "shutting down");
    watching.close();
    const { drainDelay, drainTimeout } = current.config.server;
    const delayMs = durationMs(drainDelay);
    if (delayMs > 0) await pass(clock, delayMs);
    const late = () =>
      new Failure("shutting_down", "the gateway is being stopped; try again at another replica");
    closing.abort(toConnectError(late()));
    const drainMs = durationMs(drainTimeout);
    const overdue = clock.after(drainMs, () => door.abortAll(late));
    await Promise.all([listener.close(drainMs + LAST_WORDS_MS), backlog.close(drainMs)]);
    overdue.cancel();
    await letGo();
    log.logger.info("stopped");
    await log.close();
  };
  let stopped: Promise<void> | undefined;
  return {
    url: urlOf(listener, server.tls !== undefined),
    get config() {
      return current.config;
    },
    close() {
      stopped ??= stop();
      return stopped;
    },
  };
}

function openStoreOf(
  config: CompleteConfig,
  { env, log, readiness }: { env: GatewayOptions["env"]; log: Log; readiness: Readiness },
): Promise<Store> {
  return openStore({
    databaseUrl: env.DATABASE_URL || undefined,
    dataDir: config.ledger.dataDir,
    instance: randomUUID(),
    onDeath: (reason) => {
      log.logger.error({ failure: reason }, "the database is gone");
      readiness.fail("database", `the database is gone: ${reason}`);
    },
  });
}

function sameLimits(a: CompleteConfig, b: CompleteConfig): boolean {
  return a.rateLimit.rpm === b.rateLimit.rpm && a.rateLimit.burst === b.rateLimit.burst;
}
