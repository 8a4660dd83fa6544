import { describe, expect, it } from "vitest";
import { event, fold } from "../../src/core/reply.ts";
import { meter } from "../../src/layers/meter.ts";
import { type CallInit, replyOf, routedCallOf, spoken } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf } from "../support/means.ts";
import { CACHE_WRITE, INPUT, OUTPUT } from "../support/prices.ts";
import { GUESSED, guess, type MeteredInit, metered, UNPRICED } from "./metered.ts";

const clock = new VirtualClock();
/** What the meter reckons with once it has counted the usual request's 8 tokens. */
const COUNTED = 17n;

describe("max_cost_usd", () => {
  /** Affords the input at its dearest, counted since money is short, and so many tokens of output. */
  const affording = (tokens: bigint) => COUNTED * CACHE_WRITE + tokens * OUTPUT + OUTPUT - 1n;
  /** The same for models whose cache costs nothing more. */
  const plainly = (tokens: bigint) =>
    BigInt(guess("boundless").maxInputTokens) * INPUT + tokens * OUTPUT + OUTPUT - 1n;
  const asking = (parameters: { maxTokens?: number; choices?: number }) => ({
    messages: [{ role: "user", content: "Hello" }],
    parameters,
  });

  async function clampOf(init: MeteredInit) {
    let clamp: number | undefined = -1;
    const result = await metered(async (call) => {
      clamp = call.maxTokens;
      return replyOf(spoken(["Hello"], "length"));
    }, init);
    return { clamp, ...result };
  }

  it.each<[string, MeteredInit, number | undefined]>([
    ["without it, nothing", {}, undefined],
    ["a model's own limit", { maxCost: affording(50n) }, 50],
    ["not a model's limit that is lower", { maxCost: affording(1_000n) }, undefined],
    ["the caller's limit", { maxCost: affording(50n), request: asking({ maxTokens: 51 }) }, 50],
    [
      "not the caller's limit that is lower",
      { maxCost: affording(50n), request: asking({ maxTokens: 50 }) },
      undefined,
    ],
    ["each of several choices", { maxCost: affording(50n), request: asking({ choices: 4 }) }, 12],
    [
      "what attempts before left",
      { maxCost: affording(50n) + 9n, before: { actualPicoUsd: 10n * OUTPUT + 9n } },
      40,
    ],
    [
      "a model without any limit",
      { maxCost: plainly(50n), target: { provider: "openai", model: "boundless" } },
      50,
    ],
    ["a model's window", { maxCost: plainly(50n), target: { provider: "openai", model: "narrow" } }, 50],
    [
      "not a model's window that is lower",
      { maxCost: plainly(100n), target: { provider: "openai", model: "narrow" } },
      undefined,
    ],
    [
      "nothing where tokens are free",
      { maxCost: 1n, target: { provider: "openai", model: "free" } },
      undefined,
    ],
  ])("lowers %s", async (_, init, expected) => {
    const { clamp } = await clampOf(init);
    expect(clamp).toBe(expected);
  });

  it.each<[string, CallInit]>([
    ["not even one token", { maxCost: affording(0n) }],
    ["not even the input", { maxCost: INPUT }],
    ["not a token for each choice", { maxCost: affording(3n), request: asking({ choices: 4 }) }],
  ])("refuses what it does not afford, %s, without an attempt", async (_, init) => {
    const call = routedCallOf(init);
    const refused = meter(accountsOf(clock))(() => Promise.reject(new Error("was called")))(call);
    await expect(refused).rejects.toMatchObject({
      kind: "budget_exceeded",
      message: expect.stringContaining("affords no reply from openai/gpt-4o"),
      violations: [{ field: "max_cost_usd" }],
    });
    expect(call.tally.attempts).toEqual([]);
  });

  it("refuses a model whose price is not known, since it could not be kept", async () => {
    const call = routedCallOf({ maxCost: 10n ** 15n, target: UNPRICED });
    const refused = meter(accountsOf(clock))(() => Promise.reject(new Error("was called")))(call);
    await expect(refused).rejects.toMatchObject({
      kind: "budget_exceeded",
      message: expect.stringContaining("openai/gpt-unheard-of has no known price"),
    });
    expect(call.tally.attempts).toEqual([]);
  });

  it.each([true, false])("is never passed by a guess of what was said, a stream: %s", async (streaming) => {
    const maxCost = affording(50n);
    const words = "a word that few know ".repeat(100);
    const { attempt } = await metered(async () => replyOf(spoken([words])), { maxCost, streaming });
    // The provider was asked for no more, and counts tokens itself.
    expect(attempt).toMatchObject({ usage: { provenance: "estimated", outputTokens: 50 } });
    expect(attempt?.actualPicoUsd).toBeLessThanOrEqual(maxCost);
  });

  it("is the reason to stop when the lowered limit ended the answer", async () => {
    const { seen, attempt } = await clampOf({ maxCost: affording(50n) });
    expect(seen.at(-1)).toMatchObject({ done: true, finishReason: "budget_exceeded" });
    expect(attempt).toMatchObject({ outcome: "ok", failureKind: "" });
  });

  it("is the reason for each choice that it ended, and for no other", async () => {
    const said = [
      [
        event({ token: "a" }),
        event({ index: 1, finishReason: "length" }),
        event({ index: 2, finishReason: "stop" }),
      ],
      [event({ done: true, finishReason: "length" })],
    ];
    const init = { maxCost: affording(50n), request: asking({ choices: 3 }) };
    const reply = await meter(accountsOf(clock))(async () => replyOf(said))(routedCallOf(init));
    const { choices } = await fold(reply);
    expect(choices.map(({ finishReason }) => finishReason)).toEqual([
      "budget_exceeded",
      "budget_exceeded",
      "stop",
    ]);
  });

  it("is not the reason when the caller's own limit ended the answer", async () => {
    const own = await clampOf({ maxCost: affording(50n), request: asking({ maxTokens: 10 }) });
    expect(own.seen.at(-1)?.finishReason).toBe("length");
    const none = await clampOf({});
    expect(none.seen.at(-1)?.finishReason).toBe("length");
  });

  it("lowers what the call is expected to cost", async () => {
    const { call } = await clampOf({ maxCost: affording(50n) });
    expect(call.tally.estimated).toBe(GUESSED + 50n * OUTPUT);
  });
});
