/** What is booked for thoughts that nobody saw, of a model that may have had some, where its stream broke off. */
import { expect, it } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { event } from "../../src/core/reply.ts";
import { usage } from "../../src/core/usage.ts";
import { replyOf, spoken } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf } from "../support/means.ts";
import { metered, type Serve, UNDER_WAY } from "./metered.ts";

const THINKER = { provider: "openai", model: "thinker" };
/** Its tokenizer is not known. */
const UNCOUNTED = { provider: "openai", model: "boundless" };
const WORDS = 100;
/** Tokens that a model may think in a second. */
const THOUGHT = 400;

/** @param pauseMs in the middle of the words, of which there is one in 20 ms; the first comes after a second */
async function brokenOff(pauseMs: number, parameters: object = {}): Promise<number> {
  const clock = new VirtualClock();
  const serve: Serve = async () => {
    await clock.advance(1_000);
    const events = async function* () {
      for (let word = 0; word < WORDS; word++) {
        if (word > 0) await clock.advance(word === WORDS / 2 ? pauseMs : 20);
        yield [event({ token: "four" })];
      }
      throw new Failure("cut", "gone");
    };
    return { ...replyOf([]), events: events() };
  };
  const request = { messages: [{ role: "user", content: "Hello" }], parameters };
  const { attempt } = await metered(serve, { target: THINKER, request, clock });
  expect(attempt.usage?.provenance).toBe("estimated");
  return attempt.usage?.outputTokens ?? 0;
}

it("are as many as it may have had before its first word", async () => {
  expect(await brokenOff(20)).toBe(WORDS + UNDER_WAY + THOUGHT);
});

it("are more where its words made a pause, and not where they only came slowly", async () => {
  expect(await brokenOff(240)).toBe(WORDS + UNDER_WAY + THOUGHT);
  expect(await brokenOff(1_000)).toBe(WORDS + UNDER_WAY + 2 * THOUGHT);
});

it("may have come all along where it was asked to think", async () => {
  expect(await brokenOff(20, { reasoningEffort: "low" })).toBeGreaterThan(WORDS + UNDER_WAY + 2 * THOUGHT);
});

it("are as many as it usually has, where its answer came whole and was not counted", async () => {
  const accounts = accountsOf(new VirtualClock());
  const whole = async (measured: boolean) => {
    const serve: Serve = async ({ attempt }) => {
      if (measured) attempt.usage = usage("measured", { outputTokens: 1_000 });
      return replyOf(spoken(["x".repeat(400)]));
    };
    const { attempt } = await metered(serve, { target: UNCOUNTED, accounts });
    return attempt.usage;
  };
  for (let call = 0; call < 50; call++) await whole(true);
  const { provenance, outputTokens = 0 } = (await whole(false)) ?? {};
  expect(provenance).toBe("estimated");
  expect(Math.abs(outputTokens / 1_000 - 1)).toBeLessThan(0.02);
});
