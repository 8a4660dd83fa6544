/** A gateway in front of an emulated provider: both real, on loopback, each on a port that the system chose. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { type Emulator, type EmulatorOptions, startEmulator } from "../../src/emulator/server.ts";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import { KEYS, providersAt } from "./emulated.ts";

export interface GatewayUnderTest extends AsyncDisposable {
  readonly url: string;
  readonly gateway: Gateway;
  readonly emulator: Emulator;
  readonly log: CollectedLog;
}

type Fields = Readonly<Record<string, unknown>>;

export interface Configuration {
  readonly server?: Fields;
  readonly providers?: Fields;
  readonly ledger?: Fields;
  readonly [section: string]: unknown;
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly emulator?: EmulatorOptions;
  /** The gateway's; the emulator has its own. */
  readonly clock?: Clock;
}

/**
 * @param given merged with what every test needs: a free port, and providers at the emulator; a function is told its URL
 */
export async function startBoth(
  given: Configuration | ((emulatorUrl: string) => Configuration) = {},
  { env = {}, emulator: options = {}, clock = systemClock }: Surroundings = {},
): Promise<GatewayUnderTest> {
  const emulator = await startEmulator(options);
  const config = typeof given === "function" ? given(emulator.url) : given;
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-test-"));
  const file = join(folder, "config.yaml");
  const log = new CollectedLog();
  writeFileSync(
    file,
    // JSON is YAML.
    JSON.stringify({
      default_model: "openai/gpt-4o",
      // A test that is not about resilience has one attempt a call, however many of them fail.
      resilience: { retries: { max: 0 }, circuit_breaker: { enabled: false } },
      ...config,
      server: { port: 0, ...config.server },
      ledger: { data_dir: join(folder, "data"), ...config.ledger },
      providers: { ...providersAt(emulator.url), ...config.providers },
    }),
  );
  const gateway = await startGateway({ file, env: { ...KEYS, ...env }, clock, logTo: log });
  return {
    url: gateway.url,
    gateway,
    emulator,
    log,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await emulator.close();
      rmSync(folder, { recursive: true });
    },
  };
}

export type LogEvent = Readonly<Record<string, unknown>>;

/** The gateway's log, line by line. */
export class CollectedLog {
  readonly events: LogEvent[] = [];
  private readonly waiting = new Map<string, (event: LogEvent) => void>();

  write(line: string): void {
    const event: LogEvent = JSON.parse(line);
    this.events.push(event);
    this.waiting.get(String(event.request_id))?.(event);
  }

  /** Waits for the one event that tells of a request. */
  about(requestId: string): Promise<LogEvent> {
    const known = this.events.find((event) => event.request_id === requestId);
    if (known) return Promise.resolve(known);
    return new Promise((resolve) => this.waiting.set(requestId, resolve));
  }
}
