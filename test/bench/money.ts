/**
 * The CPU of money by itself: what the meter, one hard budget and the ledger add to a unary call, its SQLite and
 * thread included. A process of its own; a message asks it for one round.
 */
import { randomUUIDv7 } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { AttemptCall, RoutedCall, Service } from "../../src/core/call.ts";
import { systemClock } from "../../src/core/clock.ts";
import { receiptOf } from "../../src/core/receipt.ts";
import { event, type Reply } from "../../src/core/reply.ts";
import { usage } from "../../src/core/usage.ts";
import { createLedger, type Ledger } from "../../src/cost/ledger.ts";
import { meter } from "../../src/layers/meter.ts";
import { openStore } from "../../src/store/store.ts";
import { rule } from "../cost/budget/counted.ts";
import { attemptOf, routedCallOf } from "../support/call.ts";
import { accountsOf, budgetsOf } from "../support/means.ts";
import { MESSAGES } from "./load.ts";

/** Microseconds a call. */
export interface MoneyCosts {
  /** Plan, estimate, reserve, price and settle, with a hard budget. */
  readonly money: number;
  /** The ledger with nobody who waits for it. */
  readonly ledger: number;
  /** Both, where a hard budget waits until the ledger is safe. */
  readonly both: number;
}

/** About what one process serves: 2,000 calls a second. */
const BURST = 20;
const EVERY_MS = 10;
const CALLS = 1_000;
/** Longer than a row waits, as models take. */
const PROVIDER_MS = 50;

const dataDir = mkdtempSync(join(tmpdir(), "llmgateway-bench-"));
const store = await openStore({ dataDir, instance: "bench", onDeath: fail });
const kept = createLedger({
  store: store.ledger,
  clock: systemClock,
  maxWaitingRows: 20_000,
  whenFull: "wait",
  onLost: fail,
  onError: fail,
});
const hard = { budgets: budgetsOf(systemClock, [rule({ limitUsd: 1e6 })]) };
const provided: Service<AttemptCall> = async ({ attempt }) => {
  await wait(PROVIDER_MS);
  attempt.usage = usage("measured", { inputTokens: 120, outputTokens: 130 });
  return { events: answer() };
};
const unmetered: Service<RoutedCall> = (call) => {
  const attempt = attemptOf();
  call.tally.attempts.push(attempt);
  return provided({ ...call, attempt, maxTokens: undefined });
};
const unbooked = meter(accountsOf(systemClock))(provided);
const booked = meter(accountsOf(systemClock, { ledger: kept }))(provided);
const budgeted = meter(accountsOf(systemClock, hard))(provided);
const both = meter(accountsOf(systemClock, { ...hard, ledger: kept }))(provided);

// What is compiled late would be charged to whoever comes first.
for (let round = 0; round < 3; round++) await measureAll();
process.on("disconnect", () => {
  rmSync(dataDir, { recursive: true });
  process.exit();
});
process.on("message", async () => process.send?.(await measureAll()));
process.send?.({});

async function measureAll(): Promise<MoneyCosts> {
  const nothing = await cpuMicrosOf(unmetered);
  return {
    money: (await cpuMicrosOf(budgeted)) - nothing,
    ledger: (await cpuMicrosOf(booked, kept)) - (await cpuMicrosOf(unbooked)),
    both: (await cpuMicrosOf(both, kept)) - nothing,
  };
}

/** For one call, of all threads. */
async function cpuMicrosOf(service: Service<RoutedCall>, ledger?: Ledger): Promise<number> {
  const calls: Promise<void>[] = [];
  const before = process.cpuUsage();
  for (let begun = 0; begun < CALLS; begun += BURST) {
    for (let at = 0; at < BURST; at++) calls.push(run(service, ledger));
    await wait(EVERY_MS);
  }
  await Promise.all(calls);
  await ledger?.flush();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / CALLS;
}

async function run(service: Service<RoutedCall>, ledger: Ledger | undefined): Promise<void> {
  const startedAtMs = Date.now();
  const callId = randomUUIDv7();
  const context = { callId, requestId: randomUUIDv7(), startedAtMs };
  const parameters = { maxTokens: 200 };
  const call = routedCallOf({ request: { messages: MESSAGES, parameters }, context, streaming: false });
  const reply = await service(call);
  for await (const _ of reply.events) {
    // It is read for what reading does.
  }
  // The log needs it as well.
  const receipt = receiptOf(call);
  ledger?.call({
    callId,
    startedAtMs,
    endedAtMs: Date.now(),
    tenant: "internal",
    principal: "anonymous",
    tags: {},
    method: "Chat",
    operation: "chat",
    protocol: "rest",
    outcome: "ok",
    failureKind: "",
    finishReason: "stop",
    receipt,
  });
}

async function* answer(): Reply["events"] & AsyncGenerator {
  yield [
    event({ token: "An answer of some words. ".repeat(20), finishReason: "stop" }),
    event({ done: true }),
  ];
}

function fail(reason: unknown): never {
  throw new Error(String(reason));
}
