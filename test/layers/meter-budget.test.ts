/** What a budget does to an attempt: holds its money ready, lowers its limit, ends its stream, and gets the rest back. */
import { describe, expect, it } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { fromUsd } from "../../src/core/money.ts";
import { event } from "../../src/core/reply.ts";
import { usage } from "../../src/core/usage.ts";
import { meter } from "../../src/layers/meter.ts";
import { budgetOf } from "../support/budgets.ts";
import { eventsOf, replyOf, routedCallOf, spoken } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf, budgetsOf } from "../support/means.ts";
import { INPUT, OUTPUT, PRICING } from "../support/prices.ts";
import { guess, lastOf, type Serve, UNPRICED } from "./metered.ts";

const PLAIN = { provider: "openai", model: "plain" };
const THINKER = { provider: "openai", model: "thinker" };
/** Of which nobody knows whether it thinks. */
const UNTOLD = { provider: "openai", model: "untold" };
const INPUT_COST = BigInt(guess(PLAIN.model).maxInputTokens) * INPUT;
/** With the input, so many tokens of output. */
const worth = (tokens: number) => INPUT_COST + BigInt(tokens) * OUTPUT;

/** A meter with one budget of so much money. */
function budgeted(limit: bigint, more: object = {}) {
  const clock = new VirtualClock();
  const budgets = budgetsOf(clock, [budgetOf({ limitUsd: Number(limit) / 1e12, ...more })]);
  const accounts = accountsOf(clock, { budgets });
  const stands = () => {
    const [figures] = budgets.snapshot(1);
    return figures && { spent: figures.spent, reserved: figures.reserved };
  };
  return { clock, accounts, stands, metered: meter(accounts) };
}

const answering =
  (outputTokens: number): Serve =>
  async ({ attempt }) => {
    attempt.usage = usage("measured", { inputTokens: 5, outputTokens });
    return replyOf(spoken(["Hello"]));
  };

describe("an attempt under a budget", () => {
  it("has its most held ready while it runs, and gives back what it did not spend", async () => {
    const { metered, stands } = budgeted(fromUsd(1));
    const call = routedCallOf({ target: PLAIN, streaming: false });
    let during: unknown;
    const reply = await metered(async (below) => {
      during = stands();
      expect(below.attempt.reservedPicoUsd).toBe(worth(1_000));
      return answering(3)(below);
    })(call);
    await eventsOf(reply);
    expect(during).toEqual({ spent: 0n, reserved: worth(1_000) });
    expect(stands()).toEqual({ spent: 5n * INPUT + 3n * OUTPUT, reserved: 0n });
  });

  it.each([
    ["service_tier", "priority"],
    ["serviceTier", "priority"],
    // Bedrock's, which is priced as a tier.
    ["performanceConfig", { latency: "optimized" }],
  ])("has as much held as any service tier costs, for a %s by hand", async (field, value) => {
    const { metered } = budgeted(fromUsd(1));
    const target = { provider: "openai", model: "swift" };
    const call = routedCallOf({
      target,
      streaming: false,
      request: {
        messages: [{ role: "user", content: "Hello" }],
        parameters: { maxTokens: 100 },
        extraBody: { [field]: value },
      },
    });
    const fields = { inputTokens: 5, outputTokens: 100, serviceTier: "priority" };
    const reply = await metered(async ({ attempt }) => {
      attempt.usage = usage("measured", fields);
      return replyOf(spoken(["Hello"]));
    })(call);
    await eventsOf(reply);
    const { actualPicoUsd, reservedPicoUsd } = lastOf(call);
    expect(actualPicoUsd).toBe(2n * (5n * INPUT + 100n * OUTPUT));
    expect(reservedPicoUsd).toBeGreaterThanOrEqual(2n * (5n * INPUT + 100n * OUTPUT));
  });

  it.each([
    ["recording.mp3", "", true],
    ["recording", "audio/mpeg", true],
    ["film", "video/mp4", true],
    ["recording.mp3?not=a.pdf", "", true],
    ["report.pdf", "", false],
    ["report.pdf?signature=abc", "", false],
    ["REPORT.PDF", "", false],
    ["picture.jpg", "", false],
    ["report", "application/pdf", false],
  ])("has as much held as %s (%s) costs if it is sound: %s", async (name, mediaType, sound) => {
    const { metered } = budgeted(fromUsd(100));
    const source = { case: "url", value: `https://example.com/${name}` } as const;
    const call = routedCallOf({
      target: { provider: "openai", model: "swift" },
      streaming: false,
      request: {
        messages: [{ role: "user", parts: [{ part: { case: "file", value: { source, mediaType } } }] }],
        parameters: { maxTokens: 100 },
      },
    });
    await eventsOf(await metered(answering(1))(call));
    const asText = 300_000n * INPUT;
    const held = lastOf(call).reservedPicoUsd ?? 0n;
    expect(held > 5n * asText).toBe(sound);
    expect(held).toBeGreaterThan(asText);
  });

  it("gives all of it back when it failed for nothing", async () => {
    const { metered, stands } = budgeted(fromUsd(1));
    const failing = metered(() => Promise.reject(new Failure("unreachable", "no")))(routedCallOf());
    await expect(failing).rejects.toThrow("no");
    expect(stands()).toEqual({ spent: 0n, reserved: 0n });
  });

  it("is lowered to what is left, and says so at its end", async () => {
    const { metered } = budgeted(worth(300));
    const call = routedCallOf({ target: PLAIN, streaming: false });
    let clamp: number | undefined;
    const reply = await metered(async ({ maxTokens }) => {
      clamp = maxTokens;
      return replyOf(spoken(["Hello"], "length"));
    })(call);
    expect(clamp).toBe(300);
    expect((await eventsOf(reply)).at(-1)?.finishReason).toBe("budget_exceeded");
  });

  it("is refused without an attempt when not even its usual answer is affordable", async () => {
    const { metered, stands } = budgeted(worth(255));
    const call = routedCallOf({ target: PLAIN, streaming: false });
    await expect(metered(answering(1))(call)).rejects.toMatchObject({
      kind: "budget_exceeded",
      message: expect.stringContaining("budget team is used up"),
    });
    expect(call.tally.attempts).toEqual([]);
    expect(stands()).toEqual({ spent: 0n, reserved: 0n });
  });

  it("is counted where it is short, and not only estimated", async () => {
    // By length the input may have 25 tokens; it has 8, for which 17 are reckoned with.
    const limit = 20n * 100_000_000n + 10n * OUTPUT;
    const { metered } = budgeted(limit);
    const request = { messages: [{ role: "user", content: "Hello" }], parameters: { maxTokens: 10 } };
    const call = routedCallOf({ request, streaming: false });
    await eventsOf(await metered(answering(1))(call));
    expect(lastOf(call)).toMatchObject({ outcome: "ok" });
  });
});

describe("a stream under a budget", () => {
  it("has little held ready at first, and more as it comes", async () => {
    const { metered, stands } = budgeted(fromUsd(1));
    const held: unknown[] = [];
    const call = routedCallOf({ target: PLAIN });
    const reply = await metered(async () => {
      held.push(stands()?.reserved);
      return replyOf(
        [...Array(20)].map(() => [event({ token: "x".repeat(64) })]).concat([[event({ done: true })]]),
      );
    })(call);
    for await (const _ of reply.events) held.push(stands()?.reserved);
    const steps = [...new Set(held.slice(0, -1))];
    expect(steps[0]).toBe(worth(128));
    expect(steps.length).toBeGreaterThan(2);
    expect(stands()?.reserved).toBe(0n);
  });

  it("ends within an event of what the budget affords, is booked within it, and ends its provider's work", async () => {
    const limit = worth(400);
    const { metered, stands } = budgeted(limit);
    let ended = false;
    async function* endless() {
      try {
        for (;;) yield [event({ token: "four" }), event({ token: "more" })];
      } finally {
        ended = true;
      }
    }
    const call = routedCallOf({ target: PLAIN });
    const events = await eventsOf(await metered(async () => ({ events: endless() }))(call));
    expect(events.at(-1)).toMatchObject({ done: true, finishReason: "budget_exceeded" });
    expect(ended).toBe(true);
    expect(lastOf(call)).toMatchObject({ outcome: "ok", usage: { provenance: "estimated" } });
    const { spent, reserved } = stands() ?? {};
    expect(reserved).toBe(0n);
    expect(spent).toBe(lastOf(call).actualPicoUsd);
    expect(spent).toBeLessThanOrEqual(limit);
    expect(spent).toBeGreaterThan(worth(100));
  });

  it("is never booked above what is held ready for it, however late the gateway is", async () => {
    const limit = worth(150);
    const { accounts, stands } = budgeted(limit);
    const lag = { ms: 0 };
    const call = routedCallOf({ target: PLAIN });
    const reply = await meter({ ...accounts, lag })(async () => replyOf(spoken(["four", "more", "words"])))(
      call,
    );
    for await (const _ of reply.events) {
      lag.ms = 5_000;
      if (call.tally.attempts[0]?.outcome !== "pending") break;
    }
    expect(lastOf(call)).toMatchObject({ usage: { provenance: "estimated" } });
    expect(stands()?.spent).toBeLessThanOrEqual(limit);
  });

  const thinking = { reasoningEffort: "low" };
  it.each([
    ["of a model that thinks unseen has all", THINKER, {}, true],
    ["that asks for thoughts a model that may have them has all", UNTOLD, thinking, true],
    ["with a budget for thoughts has all", UNTOLD, { reasoningBudgetTokens: 100 }, true],
    ["of a model that thinks only when asked has little", UNTOLD, { reasoningEffort: "none" }, false],
    ["of a model that does not think has little", PLAIN, thinking, false],
  ])("%s held ready", async (_, target, parameters, all) => {
    const { metered, stands } = budgeted(fromUsd(1));
    const request = { messages: [{ role: "user", content: "Hello" }], parameters };
    const reply = await metered(async ({ maxTokens }) => {
      expect(maxTokens).toBeUndefined();
      return replyOf(spoken(["Hello"]));
    })(routedCallOf({ target, request }));
    expect((stands()?.reserved ?? 0n) >= 8_000n * OUTPUT).toBe(all);
    await eventsOf(reply);
    expect(stands()?.reserved).toBe(0n);
  });

  it("that breaks off is booked with what was thought unseen, where that was asked for", async () => {
    const broken = async (parameters: object) => {
      const { accounts, clock } = budgeted(fromUsd(1));
      const request = { messages: [{ role: "user", content: "Hello" }], parameters };
      const call = routedCallOf({ target: UNTOLD, request });
      const breaking = meter(accounts)(async () => {
        await clock.advance(1_000);
        throw new Failure("cut", "it broke off");
      });
      await expect(breaking(call)).rejects.toThrow("it broke off");
      return lastOf(call).usage?.outputTokens ?? 0;
    };
    expect(await broken(thinking)).toBeGreaterThan(await broken({}));
  });
});

describe("max_cost_usd", () => {
  it("ends a stream behind the event that reaches it, whatever the provider does", async () => {
    const { inputTokens } = guess(PLAIN.model);
    const maxCost = worth(50);
    const call = routedCallOf({ target: PLAIN, maxCost });
    const deaf = [...Array(500)].map(() => [event({ token: "four" })]);
    const events = await eventsOf(
      await meter(accountsOf(new VirtualClock()))(async () => replyOf(deaf))(call),
    );
    expect(events.at(-1)).toMatchObject({ done: true, finishReason: "budget_exceeded" });
    const running = (tokens: number) => BigInt(inputTokens) * INPUT + BigInt(tokens) * OUTPUT;
    const said = events.length - 1;
    expect(running(said) >= maxCost && running(said - 1) < maxCost).toBe(true);
  });
});

describe("a model without a price", () => {
  const ask = (unknownModels: "" | "refuse" | "allow", limit?: object) => {
    const { accounts } = budgeted(fromUsd(1), limit);
    const pricing = { ...PRICING, unknownModels };
    return meter({ ...accounts, pricing })(answering(1))(routedCallOf({ target: UNPRICED }));
  };

  it.each([
    ["is refused where a hard budget is about it", "", {}, false],
    ["is let through where a soft one is", "", { mode: "soft" }, true],
    ["is let through where none is", "", { tenant: "other" }, true],
    ["is let through where that is allowed", "allow", {}, true],
    ["is refused everywhere where that is wanted", "refuse", { tenant: "other" }, false],
  ] as const)("%s", async (_, unknownModels, limit, passes) => {
    const outcome = await ask(unknownModels, limit).then(
      () => true,
      (failure: Failure) => failure.kind,
    );
    expect(outcome).toBe(passes || "unpriced_model");
  });
});
