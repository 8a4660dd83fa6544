/** Attempts at one call that run side by side, as hedging makes them: what each may spend, and what is told of it. */
import { describe, expect, it } from "vitest";
import type { AttemptCall, RoutedCall } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { receiptOf } from "../../src/core/receipt.ts";
import { event, type Reply } from "../../src/core/reply.ts";
import { usage } from "../../src/core/usage.ts";
import { hedge } from "../../src/layers/hedge.ts";
import { meter } from "../../src/layers/meter.ts";
import { Share } from "../../src/resilience/share.ts";
import { Targets } from "../../src/resilience/targets.ts";
import { eventsOf, replyOf, routedCallOf, spoken } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf } from "../support/means.ts";
import { INPUT, OUTPUT } from "../support/prices.ts";

const LOST = new Failure("hedge_lost", "another attempt was faster");

/** No tokenizer knows its model, so that nothing is counted in a thread. */
const UNCOUNTED = { provider: "openai", model: "plain" };

/** A meter whose attempts are answered by hand. */
function stage() {
  const waiting: { call: AttemptCall; answer(reply: Reply): void; fail(failure: Failure): void }[] = [];
  const layer = meter(accountsOf(new VirtualClock()))(
    (call) => new Promise((answer, fail) => void waiting.push({ call, answer, fail })),
  );
  const begin = async (call: RoutedCall) => {
    const reply = layer(call);
    reply.catch(() => {});
    const before = waiting.length;
    await expect.poll(() => waiting.length).toBe(before + 1);
    const attempt = waiting.at(-1);
    if (!attempt) throw new Error("no attempt was made");
    return { reply, ...attempt };
  };
  return { layer, begin };
}

function measured(call: AttemptCall, outputTokens: number): Reply {
  call.attempt.usage = usage("measured", { inputTokens: 10, outputTokens });
  return replyOf(spoken(["Hello"]));
}

describe("two attempts at one call", () => {
  it("are one receipt that names the one that served, although the other began later", async () => {
    const { begin } = stage();
    const call = routedCallOf();
    const first = await begin(call);
    const second = await begin({ ...call, trigger: "hedge", target: { provider: "openai", model: "plain" } });
    first.answer(measured(first.call, 5));
    const reply = await first.reply;
    second.fail(LOST);
    await second.reply.catch(() => {});
    await eventsOf(reply);
    const receipt = receiptOf(call);
    expect(receipt).toMatchObject({ provider: "openai", model: "gpt-4o" });
    expect(receipt.attempts).toMatchObject([
      { number: 1, trigger: "first", outcome: "ok" },
      { number: 2, trigger: "hedge", outcome: "abandoned", failureKind: "hedge_lost" },
    ]);
    const [, lost] = receipt.attempts;
    expect(receipt.cost?.actualPicoUsd).toBe(10n * INPUT + 5n * OUTPUT + (lost?.actualPicoUsd ?? 0n));
    expect(lost?.actualPicoUsd).toBeGreaterThan(0n);
    expect(call.tally.open.size).toBe(0);
  });

  it("say on every event what the call has cost until then, the loser's spend included once it is settled", async () => {
    const { begin } = stage();
    const call = routedCallOf();
    const first = await begin(call);
    const second = await begin({ ...call, trigger: "hedge" });
    second.answer(measured(second.call, 5));
    const reply = await second.reply;
    first.fail(LOST);
    await first.reply.catch(() => {});
    const events = await eventsOf(reply);
    expect(events.at(-1)?.costPicoUsd).toBe(receiptOf(call).cost?.actualPicoUsd);
  });

  it("leave the cost of a receipt open while one of them is", async () => {
    const { begin } = stage();
    const call = routedCallOf();
    const first = await begin(call);
    await begin({ ...call, trigger: "hedge" });
    first.answer(measured(first.call, 5));
    await eventsOf(await first.reply);
    const { cost, attempts } = receiptOf(call);
    expect(attempts[1]?.outcome).toBe("pending");
    expect(cost).toMatchObject({ provenance: "unknown" });
    expect(cost?.actualPicoUsd).toBeUndefined();
  });

  it("do not spend the call's own limit twice", async () => {
    const { begin, layer } = stage();
    const call = routedCallOf({ maxCost: 400n * OUTPUT, request: asking(300), target: UNCOUNTED });
    await begin(call);
    const second = await begin({ ...call, trigger: "hedge" });
    // What the first may spend is not left for the second.
    expect(second.call.maxTokens).toBeLessThan(100);
    await expect(layer({ ...call, trigger: "hedge" })).rejects.toMatchObject({ kind: "budget_exceeded" });
  });

  it("each tell the span above of its own row", async () => {
    const { begin } = stage();
    const call = routedCallOf();
    const rows: number[] = [];
    const told = (number: number) => ({ begun: () => void rows.push(number) });
    await Promise.all([begin({ ...call, ...told(1) })]);
    await begin({ ...call, ...told(2) });
    expect(rows).toEqual([1, 2]);
  });
});

it("names who failed last by itself, when nobody served", async () => {
  const { begin } = stage();
  const call = routedCallOf();
  const first = await begin(call);
  first.answer(replyOf([[event({ token: "Hello" })]], new Failure("cut", "gone")));
  const reply = await first.reply;
  const second = await begin({ ...call, trigger: "hedge", target: { provider: "openai", model: "plain" } });
  second.fail(LOST);
  await second.reply.catch(() => {});
  await eventsOf(reply).catch(() => {});
  expect(receiptOf(call)).toMatchObject({ provider: "openai", model: "gpt-4o" });
});

describe.each([
  ["as streams", true],
  ["as whole answers", false],
])("two attempts that speak at the same moment, %s", (_, streaming) => {
  it("are one that served, and one that lost, both with what they cost", async () => {
    const clock = new VirtualClock();
    const waiting: { call: AttemptCall; answer(reply: Reply): void }[] = [];
    const layer = hedge({
      settingsOf: () => ({ enabled: true, delayMs: 100, maxShare: 1, second: "same" }),
      usualMs: () => undefined,
      shares: new Targets(() => new Share(clock)),
      clock,
      onHedge: () => {},
    })(meter(accountsOf(clock))((call) => new Promise((answer) => void waiting.push({ call, answer }))));
    const call = routedCallOf({ target: UNCOUNTED, streaming });
    const reply = layer(call);
    await clock.advance(100);
    const answers = spoken(["Hello", " there"]);
    for (const { call, answer } of waiting) {
      call.attempt.usage = usage("measured", { inputTokens: 10, outputTokens: 2 });
      answer(replyOf(streaming ? answers : [answers.flat()]));
    }
    expect((await eventsOf(await reply)).map(({ token }) => token)).toEqual(["Hello", " there", undefined]);
    const { attempts } = call.tally;
    expect(attempts.map((one) => [one.outcome, one.failureKind, one.usage?.outputTokens])).toEqual([
      ["ok", "", 2],
      ["abandoned", "hedge_lost", 2],
    ]);
    expect(call.tally.open.size).toBe(0);
    expect(clock.pending).toBe(0);
  });
});

function asking(maxTokens: number) {
  return { messages: [{ role: "user", content: "Hello" }], parameters: { maxTokens } };
}
