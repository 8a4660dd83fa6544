/**
 * The emulator's HTTP server: hands each request to the wire format that claims its path, and serves its own meter.
 * It says nothing itself that a provider would say.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { BatchStore } from "./batches.ts";
import { bedrockFormat } from "./bedrock.ts";
import { claudeFormat } from "./claude.ts";
import { type Arrival, Exchange } from "./exchange.ts";
import { type Chaos, type ChaosProfile, readFault } from "./fault.ts";
import type { Format, Operation, Stage } from "./format.ts";
import { geminiFormat } from "./gemini.ts";
import { type Meter, RequestMeter } from "./meter.ts";
import { mistralFormat } from "./mistral.ts";
import { openAiFormat, openAiUnknownPath } from "./openai.ts";
import { PromptCache } from "./prompt-cache.ts";
import { mixSeeds, mulberry32, randomHex } from "./random.ts";

export interface EmulatorOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default 1. The same seed and the same requests in the same order get the same bytes. */
  readonly seed?: number;
  /** Share of requests without a directive that get a random fault, from 0 (the default) to 1. */
  readonly chaos?: number;
  /** Which faults those are. Default `all`. */
  readonly profile?: ChaosProfile;
  /** What they all get instead, as directives without their brackets: `status=429 retry_after=2`. */
  readonly fault?: string;
  /** How long answers wait before their first content. Default 0. */
  readonly firstTokenMs?: number;
  /** How long streams wait between two pieces of their content. Default 0: they go as fast as they are read. */
  readonly paceMs?: number;
  /** How long each line of a batch takes. Default 0. */
  readonly batchMs?: number;
  /** How long a batch may take before it expires. Default 24 hours. */
  readonly batchWindowMs?: number;
  /** When set, requests with another key or none are refused with 401. */
  readonly apiKey?: string;
}

/** What may be changed while it runs: what is absent stays as it is. */
export type Misbehaviour = Pick<EmulatorOptions, "chaos" | "profile" | "fault" | "firstTokenMs" | "paceMs">;

export interface Emulator {
  /** `http://HOST:PORT`, without a slash at its end. */
  readonly url: string;
  readonly meter: Meter;
  /** For requests from now on. An empty fault is none. Throws as `startEmulator` rejects. */
  misbehave(change: Misbehaviour): void;
  /** Stops listening and drops every connection; open requests end as `aborted`. */
  close(): Promise<void>;
}

/** Rejects when the address is taken, `chaos` is not a share, or `fault` is none. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { host = "127.0.0.1", port = 0, seed = 1, apiKey, batchMs = 0, batchWindowMs = DAY_MS } = options;
  const meter = new RequestMeter();
  let ordinal = 0;
  const arrive = () => arrivalOf(seed, ordinal++);
  const kept = { promptCache: new PromptCache(), batches: new BatchStore() };
  let misbehaviour = changed(
    { chaos: 0, profile: "all", fault: undefined, firstTokenMs: 0, paceMs: 0 },
    options,
  );
  const stage = (): Stage => ({
    ...misbehaviour,
    ...{ seed, apiKey, batchMs, batchWindowMs, meter, arrive },
    ...kept,
  });
  // No idle timeout: a connection that a client keeps must not vanish under its next request.
  const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    const path = pathOf(request);
    if (path === METER_PATH) {
      answerMeter(request, response, meter);
      return;
    }
    const exchange = new Exchange(request, response, arrive(), meter);
    const operation = claim(request.method ?? "", path);
    operation(exchange, stage()).catch((error: unknown) => {
      process.emitWarning(`the emulator failed: ${error instanceof Error ? error.stack : error}`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // Let in a crowd that comes at once, as far as the system does.
    server.listen({ port, host, backlog: 4096 }, resolve);
  });
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    meter,
    misbehave(change) {
      misbehaviour = changed(misbehaviour, change);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function changed(before: Omit<Chaos, "seed">, change: Misbehaviour): Omit<Chaos, "seed"> {
  const { chaos = before.chaos, profile = before.profile, fault } = change;
  const { firstTokenMs = before.firstTokenMs, paceMs = before.paceMs } = change;
  if (!(chaos >= 0 && chaos <= 1)) throw new RangeError(`chaos is a share from 0 to 1, but got ${chaos}`);
  const always = fault === undefined ? before.fault : fault === "" ? undefined : readFault(fault);
  return { chaos, profile, fault: always, firstTokenMs, paceMs };
}

const DAY_MS = 24 * 3_600_000;

const METER_PATH = "/emulator/meter";

/** Asked in order; the first that claims a request answers it. OpenAI's claims chats below any path, and so comes last. */
const FORMATS: readonly Format[] = [claudeFormat, mistralFormat, bedrockFormat, geminiFormat, openAiFormat];

function claim(method: string, path: string): Operation {
  for (const format of FORMATS) {
    const operation = format(method, path);
    if (operation !== undefined) return operation;
  }
  return openAiUnknownPath(method, path);
}

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? "/";
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

function arrivalOf(seed: number, ordinal: number): Arrival {
  const random = mulberry32(mixSeeds(seed, ordinal));
  return { id: `req_${randomHex(random, 32)}`, ordinal, random };
}

/** GET answers the totals and every request, or the latest `limit` of them; DELETE forgets them. */
function answerMeter(request: IncomingMessage, response: ServerResponse, meter: RequestMeter): void {
  if (request.method === "GET") {
    response.writeHead(200, { "content-type": "application/json" });
    const limit = new URL(request.url ?? "", "http://emulator").searchParams.get("limit");
    const { requests } = meter;
    const latest = limit === null ? requests : requests.slice(Math.max(0, requests.length - Number(limit)));
    response.end(JSON.stringify({ totals: meter.totals(), requests: latest }));
    return;
  }
  if (request.method === "DELETE") meter.reset();
  response.writeHead(request.method === "DELETE" ? 204 : 405, { allow: "GET, DELETE" }).end();
}
