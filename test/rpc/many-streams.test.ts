/** A thousand streams at once, of which half are given up: none hangs, nothing of them stays, every token is told. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { mulberry32 } from "../../src/emulator/random.ts";
import { type Emulator, startEmulator } from "../../src/emulator/server.ts";
import { splitWords } from "../../src/emulator/tokens.ts";
import { audit } from "../support/accounts.ts";
import { type Crowd, gatherCrowd, HOLD_MS, type Plan } from "../support/crowd.ts";
import { samplesOf } from "../support/exposition.ts";
import type { LogEvent } from "../support/gateway.ts";
import type { Figures } from "../support/probe.ts";
import { type GatewayProcess, startProcess } from "../support/process.ts";

const STREAMS = 1_000;
/** Another one each time; a failure names it. */
const SEED = Number(process.env.STREAMS_SEED ?? Date.now() % 1_000_000);
/** So many looks at the gateway, so far apart that none of its own work lasts from one to the next. */
const LOOKS = 4;
const LOOK_MS = 60;
/** About 20 s on a machine at rest. */
const LONGEST_MS = 120_000;
const ROOT = join(import.meta.dirname, "..", "..");
const PROBE = join(ROOT, "test", "support", "probe.ts");
/** What a round may leave behind, of compiled code and the like: it is a tenth of that, and 2 kB for each stream. */
const MEMORY_NOISE_BYTES = 2 * 1_024 * STREAMS;

let emulator: Emulator;
let gateway: GatewayProcess;
let folder: string;
let words: readonly string[];
/** Of the gateway, before the first crowd. */
let atRest: Figures;
let memoryBytes: number | undefined;
let rounds = 0;

/** The gateway's connections to the provider. */
const upstream = new Set<Socket>();
const onSocket = (message: unknown) => {
  const { socket } = message as { socket: Socket };
  upstream.add(socket);
  socket.once("close", () => upstream.delete(socket));
};

beforeAll(async () => {
  emulator = await startEmulator();
  words = await answerOf(emulator);
  folder = mkdtempSync(join(tmpdir(), "llmgateway-test-"));
  const file = join(folder, "config.yaml");
  const openai = { base_url: `${emulator.url}/v1`, max_connections: STREAMS };
  writeFileSync(file, JSON.stringify({ providers: { openai } }));
  subscribe("net.server.socket", onSocket);
  const env = { LLMGATEWAY_CONFIG: file, OPENAI_API_KEY: "emulated" };
  gateway = await startProcess(env, ["--disable-warning=ExperimentalWarning", "--import", PROBE]);
  await inFlight();
  atRest = await figures();
}, LONGEST_MS);
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await emulator.close();
  unsubscribe("net.server.socket", onSocket);
  rmSync(folder, { recursive: true });
});

test("on ten connections", () => round(10, plansOf(SEED)), LONGEST_MS);

test("on a single connection", () => round(1, plansOf(SEED + 1)), LONGEST_MS);

test(
  "on ten connections that all break",
  () => {
    const plans = Array.from({ length: STREAMS }, (): Plan => ({ kind: "loses its connection" }));
    return round(10, plans, (crowd) => crowd.reset());
  },
  LONGEST_MS,
);

test("nothing keeps the process from ending afterwards", async () => {
  expect(await gateway.stop()).toBe(0);
});

/** Everyone comes, and once all are there each goes its way. */
async function round(
  connections: number,
  plans: readonly Plan[],
  onceAllAreThere = (crowd: Crowd) => crowd.dismiss(),
): Promise<void> {
  emulator.meter.reset();
  const logged = events().length;
  using crowd = gatherCrowd(gateway.url, connections, plans, ++rounds * 10_000);
  await expect.poll(() => emulator.meter.totals().open, { timeout: HOLD_MS }).toBe(STREAMS);
  expect(await inFlight()).toBe(STREAMS);
  expect(upstream.size).toBe(STREAMS);
  onceAllAreThere(crowd);
  await crowd.over;
  // Which ends what is open and read by nobody.
  crowd[Symbol.dispose]();

  await emulator.meter.ended(STREAMS);
  await expect.poll(() => events().length - logged, { timeout: 20_000 }).toBe(STREAMS);
  const differences = audit({
    streams: crowd.streams,
    log: events().slice(logged),
    meter: emulator.meter.requests,
    price: priceOf("gpt-4o"),
    words,
  });
  expect(differences, `with STREAMS_SEED=${SEED}`).toEqual([]);
  await expectRest();
}

/** Half of them stay; the others leave, each in its own way, in no order. */
function plansOf(seed: number): Plan[] {
  const random = mulberry32(seed);
  const upTo = (most: number) => 1 + Math.floor(random() * most);
  const leave: readonly (() => Plan)[] = [
    () => ({ kind: "leaves before a word", afterMs: upTo(400) }),
    () => ({ kind: "leaves midway", afterWords: upTo(6) }),
    () => ({ kind: "leaves midway", afterWords: upTo(6) }),
    () => ({ kind: "reads no more", afterWords: upTo(6) }),
    () => ({ kind: "runs out of time", deadlineMs: HOLD_MS + upTo(500) }),
  ];
  return Array.from({ length: STREAMS }, (): Plan => {
    if (random() < 0.5) return { kind: "stays", words: 4 + upTo(6) };
    return leave[Math.floor(random() * leave.length)]?.() ?? { kind: "loses its connection" };
  });
}

/** Once the pool has let its idle connections go, all is as before the first crowd. */
async function expectRest(): Promise<void> {
  await expect.poll(() => upstream.size, { timeout: 20_000 }).toBe(0);
  expect(await inFlight()).toBe(0);
  const now = await figures();
  // The pool keeps one timer for all its connections, and drops it some time after the last; the ledger has one
  // until its rows are written.
  const Timeout = expect.toBeOneOf([0, 1, 2].map((more) => atRest.live.Timeout + more));
  expect(now).toEqual({ ...atRest, live: { ...atRest.live, Timeout }, memoryBytes: expect.any(Number) });
  // The first crowd leaves compiled code behind, and the pool with its clients, which are used again.
  memoryBytes ??= now.memoryBytes;
  expect(now.memoryBytes - memoryBytes).toBeLessThan(MEMORY_NOISE_BYTES);
}

/** With the most timers of several looks: what the gateway does again and again has none while it is done. */
async function figures(): Promise<Figures> {
  const { live, ...others } = (await gateway.ask()) as Figures;
  const timers = [live.Timeout];
  while (timers.length < LOOKS) {
    await setTimeout(LOOK_MS);
    timers.push((await gateway.ask("timers")) as number);
  }
  return { ...others, live: { ...live, Timeout: Math.max(...timers) } };
}

function events(): LogEvent[] {
  return gateway.lines.map((line): LogEvent => JSON.parse(line)).filter(({ msg }) => msg === "call");
}

/** Over a connection of its own, which is closed behind it. */
function inFlight(): Promise<number> {
  return new Promise((resolve, reject) => {
    get(`${gateway.url}/v1/gateway/metrics`, { agent: false }, async (reply) => {
      let text = "";
      for await (const piece of reply.setEncoding("utf8")) text += piece;
      resolve(samplesOf(text, "llm_requests_in_flight")['route="stream"'] ?? 0);
    }).on("error", reject);
  });
}

async function answerOf({ url, meter }: Emulator): Promise<string[]> {
  const content = "[[emulate: tokens=200]] Go on";
  const body = JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content }] });
  const reply = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body,
  });
  const { choices } = (await reply.json()) as { choices: { message: { content: string } }[] };
  await meter.ended(1);
  return splitWords(choices[0]?.message.content ?? "");
}

function priceOf(model: string) {
  const path = join(ROOT, "docs", "price-catalog.json");
  const price = loadCatalog(readFileSync(path, "utf8"), path).find("openai", model);
  if (!price) throw new Error(`the catalog has no ${model}`);
  return price;
}
