import { describe, expect, it } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { event } from "../../src/core/reply.ts";
import { usage } from "../../src/core/usage.ts";
import { Tokenizer } from "../../src/cost/tokenizer.ts";
import { meter } from "../../src/layers/meter.ts";
import { eventsOf, replyOf, routedCallOf, spoken } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf } from "../support/means.ts";
import { INPUT, OUTPUT } from "../support/prices.ts";
import { GUESSED, lastOf, type Serve, UNDER_WAY } from "./metered.ts";

const clock = new VirtualClock();

describe("where the provider measured nothing and the model's tokenizer is known", () => {
  // 10 tokens beside what is around each message and the conversation.
  const messages = [{ role: "user", content: "Say something about the weather in Kuala Lumpur today." }];
  const AROUND = 7n;
  const request = { messages };

  async function ended(serve: Serve) {
    const call = routedCallOf({ request });
    const reply = await meter(accountsOf(clock))(serve)(call);
    await eventsOf(reply).catch(() => {});
    return lastOf(call);
  }

  it("is counted, and still called an estimate", async () => {
    const attempt = await ended(async () => replyOf(spoken(["It", " rain", "s", " tod", "ay", "."])));
    expect(attempt).toMatchObject({ outcome: "ok", usage: { provenance: "estimated" } });
    // "It rains today." is 4 tokens, however it is cut.
    expect(attempt.usage).toMatchObject({ inputTokens: 17, outputTokens: 4 });
    expect(attempt.actualPicoUsd).toBe((10n + AROUND) * INPUT + 4n * OUTPUT);
  });

  it("is counted to its last word, where all of it comes at once", async () => {
    const whole = [event({ token: "It rains" }), event({ token: " today." }), event({ done: true })];
    expect((await ended(async () => replyOf([whole]))).usage).toMatchObject({ outputTokens: 4 });
  });

  it("is not counted where it broke off: its provider wrote more than came", async () => {
    const cut = await ended(async () =>
      replyOf([[event({ token: "It rains" })]], new Failure("cut", "gone")),
    );
    expect(cut).toMatchObject({ outcome: "failed", usage: { outputTokens: 2 + UNDER_WAY } });
    const call = routedCallOf({ request });
    const reply = await meter(accountsOf(clock))(async () => replyOf(spoken(["It rains today"])))(call);
    for await (const _ of reply.events) break;
    expect(lastOf(call)).toMatchObject({ outcome: "abandoned", usage: { outputTokens: 4 + UNDER_WAY } });
  });

  it("is not counted where the provider did", async () => {
    let counted = 0;
    const tokenizer = new (class extends Tokenizer {
      override count = async () => ++counted;
    })();
    const call = routedCallOf();
    await eventsOf(
      await meter(accountsOf(clock, { tokenizer }))(async ({ attempt }) => {
        attempt.usage = usage("measured", { inputTokens: 1 });
        return replyOf(spoken(["Hello"]));
      })(call),
    );
    expect(counted).toBe(0);
  });

  it("has the time at which it ended, and not at which it was counted", async () => {
    const tokenizer = new (class extends Tokenizer {
      override count = async () => {
        await clock.advance(500);
        return 1;
      };
    })();
    const call = routedCallOf();
    await eventsOf(await meter(accountsOf(clock, { tokenizer }))(async () => replyOf(spoken(["x"])))(call));
    expect(lastOf(call)).toMatchObject({ outcome: "ok", latencyMs: 0 });
  });

  it("is estimated by length when it cannot be counted, and the answer stands", async () => {
    const tokenizer = new (class extends Tokenizer {
      override count = () => Promise.reject(new Error("no tables"));
    })();
    const call = routedCallOf();
    await eventsOf(
      await meter(accountsOf(clock, { tokenizer }))(async () => replyOf(spoken(["Hello"])))(call),
    );
    expect(lastOf(call)).toMatchObject({ outcome: "ok", actualPicoUsd: GUESSED + 2n * OUTPUT });
  });
});
