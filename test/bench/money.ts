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
import { budgetOf } from "../support/budgets.ts";
import { attemptOf, routedCallOf } from "../support/call.ts";
import { accountsOf, budgetsOf } from "../support/means.ts";
import { MESSAGES } from "./load.ts";

/** Microseconds a call. */
export interface MoneyCosts {
  /** Plan, estimate, price, and reserve and settle with a hard budget. */
  readonly money: number;
  /** The ledger with nobody who waits for it. */
  readonly ledger: number;
  /** The ledger where a hard budget waits until it is safe. */
  readonly safeLedger: number;
}

/** About what one process serves: 2,000 calls a second. */
const BURST = 20;
const EVERY_MS = 10;
const CALLS = 1_500;
/** Longer than an intent waits, as models take. */
const PROVIDER_MS = 50;
/** For what nobody waits, and is measured at full speed. */
const LOOPS = 5_000;

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
const hard = { budgets: budgetsOf(systemClock, [budgetOf({ limitUsd: 1e6 })]) };
type Stack = (provider: Service<AttemptCall>) => Service<RoutedCall>;

const stacks = {
  bare: (provider) => (call) => {
    const attempt = attemptOf();
    call.tally.attempts.push(attempt);
    return provider({ ...call, attempt, maxTokens: undefined });
  },
  metered: meter(accountsOf(systemClock)),
  booked: meter(accountsOf(systemClock, { ledger: kept })),
  limited: meter(accountsOf(systemClock, hard)),
  safe: meter(accountsOf(systemClock, { ...hard, ledger: kept })),
} satisfies Record<string, Stack>;

// What is compiled late would be charged to whoever comes first.
for (let round = 0; round < 10; round++) await atFullSpeed(stacks.booked, kept);
for (let round = 0; round < 2; round++) await measureAll();
process.on("disconnect", () => {
  rmSync(dataDir, { recursive: true });
  process.exit();
});
process.on("message", async () => process.send?.(await measureAll()));
process.send?.({});

async function measureAll(): Promise<MoneyCosts> {
  return {
    money: (await atFullSpeed(stacks.limited)) - (await atFullSpeed(stacks.bare)),
    ledger: (await atPace(stacks.booked, kept)) - (await atPace(stacks.metered)),
    safeLedger: (await atPace(stacks.safe, kept)) - (await atPace(stacks.limited)),
  };
}

async function atFullSpeed(stack: Stack, ledger?: Ledger): Promise<number> {
  const service = stack(async (call) => reply(call));
  return cpuMicrosOf(LOOPS, async () => {
    for (let call = 0; call < LOOPS; call++) await run(service, ledger);
    await ledger?.flush();
  });
}

async function atPace(stack: Stack, ledger?: Ledger): Promise<number> {
  const service = stack(async (call) => {
    await wait(PROVIDER_MS);
    return reply(call);
  });
  return cpuMicrosOf(CALLS, async () => {
    const calls: Promise<void>[] = [];
    for (let begun = 0; begun < CALLS; begun += BURST) {
      for (let at = 0; at < BURST; at++) calls.push(run(service, ledger));
      await wait(EVERY_MS);
    }
    await Promise.all(calls);
    await ledger?.flush();
  });
}

/** For one call, of all threads. */
async function cpuMicrosOf(calls: number, act: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}

function reply({ attempt }: AttemptCall): Reply {
  attempt.usage = usage("measured", { inputTokens: 120, outputTokens: 130 });
  return { events: answer() };
}

async function run(service: Service<RoutedCall>, ledger: Ledger | undefined): Promise<void> {
  const startedAtMs = Date.now();
  const callId = randomUUIDv7();
  const context = { callId, requestId: randomUUIDv7(), startedAtMs };
  const parameters = { maxTokens: 200 };
  const call = routedCallOf({ request: { messages: MESSAGES, parameters }, context, streaming: false });
  const { events } = await service(call);
  for await (const _ of events) {
    // It is read for what reading does.
  }
  // The log needs it as well.
  const receipt = receiptOf(call);
  ledger?.call({
    callId,
    traceId: "0af7651916cd43dd8448eb211c80319c",
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
