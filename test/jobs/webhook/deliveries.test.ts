import type { ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WebhookRules } from "../../../src/jobs/webhook/allow.ts";
import {
  type Attempted,
  createDeliveries,
  type Deliveries,
  type DeliveriesOptions,
} from "../../../src/jobs/webhook/deliveries.ts";
import { VirtualClock } from "../../support/clock.ts";
import { MemoryOutbox } from "../../support/outbox.ts";
import { onLoopback, type Receiver, rulesFor, SECRET, startReceiver } from "../../support/receiver.ts";

let clock: VirtualClock;
let outbox: MemoryOutbox;
let receiver: Receiver;
let deliveries: Deliveries;
let rules: WebhookRules;
let attempts: Attempted[];
let errors: unknown[];
/** What the receiver does with each request; the last for ever. */
let answers: ((response: ServerResponse) => void)[];
/** Answers that are held back. */
let held: ServerResponse[];

const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(code, headers).end();
const hold = (response: ServerResponse) => void held.push(response);

beforeEach(async () => {
  // Signatures are judged by the system's time.
  clock = new VirtualClock(Date.now());
  outbox = new MemoryOutbox();
  [attempts, errors, held, answers] = [[], [], [], [status(200)]];
  receiver = await startReceiver((_, response) => {
    const [answer = hold] = answers.length > 1 ? answers.splice(0, 1) : answers;
    answer(response);
  });
  rules = rulesFor(receiver.port);
});

afterEach(async () => {
  for (const response of held) response.end();
  await deliveries.close();
  await receiver[Symbol.asyncDispose]();
});

function start(changes: Partial<DeliveriesOptions> = {}): Deliveries {
  deliveries = createDeliveries({
    outbox,
    render: async ({ webhookId }) => JSON.stringify({ id: webhookId }),
    rules: () => rules,
    resolve: onLoopback,
    clock,
    random: () => 0,
    graceMs: 5_000,
    onAttempt: (attempted) => void attempts.push(attempted),
    onError: (error) => void errors.push(error),
    ...changes,
  });
  return deliveries;
}

function add(id: string, url = receiver.url): void {
  outbox.add(id, url, clock.now());
}

/** So many tries are over and kept. */
async function tried(id: string, count: number): Promise<void> {
  await vi.waitFor(async () => expect(await outbox.deliveries(id)).toHaveLength(count), { interval: 5 });
}

/** Until the webhook is due, and the next look at the outbox. */
async function untilDue(id: string): Promise<void> {
  await clock.advance(outbox.at(id).dueAtMs - clock.now() + 1_000);
}

describe("a delivery", () => {
  it("is signed, kept and told", async () => {
    add("one");
    start();
    await tried("one", 1);
    const [request] = receiver.received;
    const headers = request?.headers as Record<string, string>;
    expect(headers["webhook-id"]).toBe("one");
    expect(new Webhook(SECRET).verify(request?.body ?? "", headers)).toEqual({ id: "one" });
    expect(() => new Webhook(SECRET).verify('{"id":"two"}', headers)).toThrow("No matching signature");
    expect(outbox.at("one")).toMatchObject({ state: "delivered", attempts: 1 });
    expect(attempts).toMatchObject([
      { outcome: "delivered", lagMs: 0, delivery: { attempt: 1, httpStatus: 200, error: "" } },
    ]);
    expect(errors).toEqual([]);
  });

  it("begins at once when it is woken, and within a second otherwise", async () => {
    start();
    await clock.advance(500);
    add("woken");
    deliveries.wake();
    await tried("woken", 1);
    add("found");
    await clock.advance(1_000);
    await tried("found", 1);
  });

  it("is tried again after a failure, with the same id and a new time", async () => {
    answers = [status(500), status(200)];
    add("one");
    start();
    await tried("one", 1);
    expect(outbox.at("one")).toMatchObject({ state: "pending", dueAtMs: clock.now() + 5_000 });
    await untilDue("one");
    await tried("one", 2);
    expect(outbox.at("one")).toMatchObject({ state: "delivered", attempts: 2 });
    const [first, second] = receiver.received.map(({ headers }) => headers);
    expect(second?.["webhook-id"]).toBe(first?.["webhook-id"]);
    const passed = Number(second?.["webhook-timestamp"]) - Number(first?.["webhook-timestamp"]);
    expect([5, 6]).toContain(passed);
    expect(attempts.map(({ outcome }) => outcome)).toEqual(["retry", "delivered"]);
    expect(attempts[1]?.lagMs).toBeGreaterThanOrEqual(5_000);
  });

  it("waits as long as the receiver asks", async () => {
    answers = [status(429, { "retry-after": "90" }), status(200)];
    add("one");
    start();
    await tried("one", 1);
    expect(outbox.at("one").dueAtMs).toBe(clock.now() + 90_000);
  });

  it("ends with 410 Gone", async () => {
    answers = [status(410)];
    add("one");
    start();
    await tried("one", 1);
    expect(outbox.at("one")).toMatchObject({ state: "failed", attempts: 1 });
  });

  it("is given up when its time is up", async () => {
    answers = [status(404)];
    rules = rulesFor(receiver.port, { giveUpAfterMs: 20_000 });
    add("one");
    start();
    for (let tries = 1; tries <= 3; tries++) {
      await tried("one", tries);
      if (tries < 3) await untilDue("one");
    }
    expect(outbox.at("one")).toMatchObject({ state: "failed", attempts: 3 });
    expect(attempts.map(({ outcome }) => outcome)).toEqual(["retry", "retry", "failed"]);
  });

  it("goes by the rules and secrets of its moment", async () => {
    answers = [status(500), status(200)];
    const newer = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
    add("one");
    start();
    await tried("one", 1);
    rules = { ...rules, secrets: [SECRET, newer] };
    await untilDue("one");
    await tried("one", 2);
    const { body = "", headers } = receiver.received[1] ?? {};
    for (const secret of [SECRET, newer])
      expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual({ id: "one" });
    rules = { ...rules, allowedHosts: [] };
    add("two");
    deliveries.wake();
    await tried("two", 1);
    expect(outbox.at("two").state).toBe("failed");
    expect((await outbox.deliveries("two"))[0]?.error).toContain("jobs.webhooks.allowed_hosts");
    expect(receiver.received).toHaveLength(2);
  });

  it("fails when the job is forgotten, and is tried again when it cannot be read", async () => {
    const bodies = [Promise.reject(new Error("the database is away")), Promise.resolve(undefined)];
    bodies[0]?.catch(() => {});
    add("one");
    start({ render: () => bodies.shift() ?? Promise.resolve("{}") });
    await tried("one", 1);
    expect(outbox.at("one").state).toBe("pending");
    expect(errors).toMatchObject([{ message: "the database is away" }]);
    await untilDue("one");
    await tried("one", 2);
    expect(outbox.at("one").state).toBe("failed");
    expect((await outbox.deliveries("one"))[0]?.error).toContain("not stored any more");
    expect(receiver.received).toEqual([]);
  });
});

describe("many webhooks", () => {
  it("go to a host so many at a time", async () => {
    answers = [hold];
    rules = { ...rules, maxConcurrentPerHost: 3 };
    for (let i = 0; i < 7; i++) add(`${i}`);
    start();
    await vi.waitFor(() => expect(held).toHaveLength(3));
    await clock.advance(3_000);
    expect(receiver.received).toHaveLength(3);
    while (receiver.received.length < 7 || held.length > 0) {
      held.shift()?.end();
      await vi.waitFor(() => expect(held.length).toBeGreaterThanOrEqual(Math.min(3, 7 - attempts.length)));
      expect(held.length).toBeLessThanOrEqual(3);
    }
    await tried("6", 1);
  });

  it("are not held up by a host that is full", async () => {
    answers = [hold];
    await using other = await startReceiver();
    rules = {
      ...rules,
      maxConcurrentPerHost: 1,
      allowedHosts: [...rules.allowedHosts, `hooks.example.com:${other.port}`],
    };
    add("slow");
    add("slow as well");
    add("quick", other.url);
    start();
    await tried("quick", 1);
    expect(receiver.received).toHaveLength(1);
  });

  it("are kept from a host that fails, until one of them finds it well", async () => {
    answers = [status(503)];
    for (let i = 0; i < 5; i++) add(`${i}`);
    start();
    for (let i = 0; i < 5; i++) await tried(`${i}`, 1);
    add("later");
    await clock.advance(14_000);
    expect(receiver.received).toHaveLength(5);
    answers = [hold];
    await clock.advance(2_000);
    await vi.waitFor(() => expect(held).toHaveLength(1));
    await clock.advance(2_000);
    expect(receiver.received).toHaveLength(6);
    answers = [status(200)];
    held.shift()?.end();
    for (const id of ["0", "1", "2", "3", "4", "later"])
      await vi.waitFor(() => expect(outbox.at(id).state).toBe("delivered"));
  });

  it("are given up without a try where they are old and their host fails still", async () => {
    answers = [status(503)];
    for (let i = 0; i < 5; i++) add(`${i}`);
    start();
    for (let i = 0; i < 5; i++) await tried(`${i}`, 1);
    rules = { ...rules, giveUpAfterMs: 0 };
    for (let i = 0; i < 20; i++) outbox.add(`old ${i}`, receiver.url, clock.now() - 3_600_000);
    await clock.advance(15_000);
    for (let i = 0; i < 20; i++) await tried(`old ${i}`, 1);
    expect(outbox.at("old 19").state).toBe("failed");
    expect((await outbox.deliveries("old 19"))[0]?.error).toContain("given up");
    expect(receiver.received.length).toBeLessThanOrEqual(6);
  });
});

describe("what goes wrong", () => {
  it("a try whose process is gone is made again with the same id, when its lease has run out", async () => {
    add("one");
    await outbox.take(1, clock.now(), 75_000, []);
    start();
    await clock.advance(74_000);
    expect(receiver.received).toEqual([]);
    await clock.advance(1_000);
    await tried("one", 1);
    expect(receiver.received[0]?.headers["webhook-id"]).toBe("one");
    expect(outbox.at("one")).toMatchObject({ state: "delivered", attempts: 2 });
  });

  it("an outbox that does not answer is asked again", async () => {
    const [take, settle] = [vi.spyOn(outbox, "take"), vi.spyOn(outbox, "settle")];
    take.mockRejectedValueOnce(new Error("no take"));
    settle.mockRejectedValueOnce(new Error("no settle"));
    add("one");
    start();
    await clock.advance(1_000);
    await vi.waitFor(() => expect(settle).toHaveBeenCalledTimes(1));
    await clock.advance(250);
    await tried("one", 1);
    expect(errors).toMatchObject([{ message: "no take" }, { message: "no settle" }]);
    expect(outbox.at("one").state).toBe("delivered");
    expect(receiver.received).toHaveLength(1);
  });

  it("a stop lets tries end, and takes no more", async () => {
    answers = [hold];
    add("one");
    start();
    await vi.waitFor(() => expect(held).toHaveLength(1));
    const closed = deliveries.close();
    add("two");
    deliveries.wake();
    held.shift()?.end();
    await closed;
    expect(outbox.at("one").state).toBe("delivered");
    await clock.advance(10_000);
    expect(outbox.at("two").attempts).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("a stop ends after its grace what takes too long, for another to try at once", async () => {
    answers = [hold];
    add("one");
    start();
    await vi.waitFor(() => expect(held).toHaveLength(1));
    const closed = deliveries.close();
    await clock.advance(5_000);
    await closed;
    expect(outbox.at("one")).toMatchObject({ state: "pending", dueAtMs: clock.now() });
    expect((await outbox.deliveries("one"))[0]?.error).toContain("the gateway was stopped");
  });
});
