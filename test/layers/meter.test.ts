import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AttemptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { Failure } from "../../src/core/failure.ts";
import { event, reasoning, toolCallDelta } from "../../src/core/reply.ts";
import { type UsageFields, usage } from "../../src/core/usage.ts";
import { meter } from "../../src/layers/meter.ts";
import { eventsOf, replyOf, routedCallOf, spoken } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { accountsOf } from "../support/means.ts";
import { CACHE_WRITE, CACHED, INPUT, OUTPUT, PRICE_VERSION } from "../support/prices.ts";
import { GUESSED, guess, lastOf, MOST_GUESSED, metered, type Serve, UNDER_WAY, UNPRICED } from "./metered.ts";

const clock = new VirtualClock();

/** A provider that reports this usage, and says this. */
function reporting(fields: UsageFields, said = spoken(["Hello", " world"])): Serve {
  return async ({ attempt }) => {
    attempt.usage = usage("measured", fields);
    return replyOf(said);
  };
}

const failing =
  (failure: Failure): Serve =>
  () =>
    Promise.reject(failure);

describe("a call that ended well", () => {
  it("is priced by what the provider measured, each kind of token at its own price", async () => {
    const fields = { inputTokens: 100, cachedInputTokens: 30, cacheWriteTokens: 20, outputTokens: 7 };
    const { attempt } = await metered(reporting(fields));
    const cost = 50n * INPUT + 30n * CACHED + 20n * CACHE_WRITE + 7n * OUTPUT;
    expect(attempt).toMatchObject({
      number: 1,
      provider: "openai",
      model: "gpt-4o",
      outcome: "ok",
      failureKind: "",
      priceVersion: PRICE_VERSION,
      usage: { provenance: "measured", totalTokens: 107 },
      actualPicoUsd: cost,
      actualUsd: Number(cost) / 1e12,
    });
  });

  it("is priced by an estimate when the provider measured nothing", async () => {
    const target = { provider: "openai", model: "boundless" };
    const { attempt } = await metered(async () => replyOf(spoken(["Hello", " world"])), { target });
    expect(attempt).toMatchObject({ outcome: "ok", usage: { provenance: "estimated", outputTokens: 3 } });
    expect(attempt.actualPicoUsd).toBe(BigInt(guess("boundless").inputTokens) * INPUT + 3n * OUTPUT);
  });

  it("tells the provider what the model can write at most", async () => {
    const told: unknown[] = [];
    for (const model of ["gpt-4o", "boundless"]) {
      const serve: Serve = async ({ modelMaxTokens }) => {
        told.push(modelMaxTokens);
        return replyOf(spoken(["Hello"]));
      };
      await metered(serve, { target: { provider: "openai", model } });
    }
    expect(told).toEqual([1000, undefined]);
  });

  it("has the times of its first event and of its end", async () => {
    const { attempt } = await metered(
      async ({ attempt }) => {
        await clock.advance(30);
        attempt.usage = usage("measured");
        async function* events() {
          yield [event({ index: 1, finishReason: "stop" })];
          await clock.advance(10);
          yield [event({ token: "x" })];
          await clock.advance(5);
          yield [event({ done: true })];
        }
        return { events: events() };
      },
      { clock },
    );
    expect(attempt).toMatchObject({ firstEventMs: 40, latencyMs: 45 });
  });

  it.each([
    ["forward", 40, 2 ** 31 - 1],
    ["back", -40, 0],
  ])("has times that can be told when the clock is set %s by weeks", async (_, days, told) => {
    const clock = new VirtualClock();
    const { attempt } = await metered(
      async ({ attempt }) => {
        clock.step(days * 86_400_000);
        attempt.usage = usage("measured");
        return replyOf(spoken(["Hello"]));
      },
      { clock },
    );
    expect(attempt).toMatchObject({ firstEventMs: told, latencyMs: told });
    expect(() => toBinary(AttemptSchema, attempt)).not.toThrow();
  });
});

describe("figures that the provider gave before the answer was complete", () => {
  const fields = { inputTokens: 100, cachedInputTokens: 30, outputTokens: 38, serviceTier: "standard" };
  const begun =
    (said: string[], failure?: Failure): Serve =>
    async ({ attempt }) => {
      attempt.usage = usage("estimated", fields);
      return replyOf([said.map((token) => event({ token }))], failure);
    };

  it.each([
    ["are the least that it had", ["Hi"], 38],
    [
      "give way to what was seen of it, and to what was under way",
      ["Hello", " wonderful", " world"],
      7 + UNDER_WAY,
    ],
  ])("%s", async (_, said, outputTokens) => {
    const { attempt } = await metered(begun(said, new Failure("cut", "gone")));
    expect(attempt.usage).toMatchObject({
      ...fields,
      outputTokens,
      totalTokens: 100 + outputTokens,
      provenance: "estimated",
    });
    expect(attempt.actualPicoUsd).toBe(70n * INPUT + 30n * CACHED + BigInt(outputTokens) * OUTPUT);
  });
});

describe("the running total", () => {
  it("grows with each event, and is corrected by the last", async () => {
    const { seen } = await metered(
      reporting({ inputTokens: 3, outputTokens: 2 }, spoken(["Hello", " wor", "ld!!!"])),
    );
    expect(seen.map(({ costPicoUsd }) => costPicoUsd)).toEqual([
      GUESSED + 2n * OUTPUT,
      GUESSED + 3n * OUTPUT,
      GUESSED + 5n * OUTPUT,
      3n * INPUT + 2n * OUTPUT,
    ]);
    expect(seen.map(({ costUsd }) => costUsd)).toEqual([
      ...seen.slice(0, 3).map(({ costPicoUsd }) => Number(costPicoUsd) / 1e12),
      undefined,
    ]);
    expect(seen.map(({ totalCostUsd }) => totalCostUsd)).toEqual([undefined, undefined, undefined, 0.000023]);
  });

  it.each([
    ["thoughts", event({ reasoning: reasoning({ text: "12345678" }) }), 2n],
    ["a refusal", event({ refusal: "12345678" }), 2n],
    ["arguments", event({ toolCall: toolCallDelta(0, { arguments: "12345678" }) }), 2n],
    ["a free text", event({ toolCall: toolCallDelta(0, { input: "12345678" }) }), 2n],
    [
      "a tool's name",
      event({ toolCall: toolCallDelta(0, { id: "call_1", name: "grep", arguments: "" }) }),
      1n,
    ],
    ["the end of a choice", event({ index: 1, finishReason: "stop" }), 0n],
  ])("counts %s", async (_, said, tokens) => {
    const { seen } = await metered(reporting({}, [[said], [event({ done: true })]]));
    expect(seen[0]?.costPicoUsd).toBe(GUESSED + tokens * OUTPUT);
  });

  it("is that of the whole call, attempts before included", async () => {
    const before = { outcome: "failed", actualPicoUsd: 77n };
    const { seen, attempt } = await metered(reporting({ inputTokens: 3 }, spoken(["Hello"])), { before });
    expect(seen.map(({ costPicoUsd }) => costPicoUsd)).toEqual([
      77n + GUESSED + 2n * OUTPUT,
      77n + 3n * INPUT,
    ]);
    expect(attempt).toMatchObject({ number: 2, actualPicoUsd: 3n * INPUT });
  });

  it("is absent when an attempt before has no known cost", async () => {
    const { seen, attempt } = await metered(reporting({ inputTokens: 3 }), { before: { outcome: "failed" } });
    expect(
      seen.map(({ costPicoUsd, costUsd, totalCostUsd }) => costPicoUsd ?? costUsd ?? totalCostUsd),
    ).toEqual(seen.map(() => undefined));
    expect(attempt.actualPicoUsd).toBe(3n * INPUT);
  });
});

describe("a model without a price", () => {
  it("has usage, but no cost at all: not in the attempt, not in the events, not before", async () => {
    const { attempt, seen, call } = await metered(reporting({ inputTokens: 3, outputTokens: 2 }), {
      target: UNPRICED,
    });
    expect(attempt).toMatchObject({ outcome: "ok", priceVersion: "", usage: { totalTokens: 5 } });
    expect(attempt).not.toHaveProperty("actualPicoUsd");
    expect(attempt).not.toHaveProperty("actualUsd");
    for (const one of seen) {
      expect(one).not.toHaveProperty("costPicoUsd");
      expect(one).not.toHaveProperty("costUsd");
      expect(one).not.toHaveProperty("totalCostUsd");
    }
    expect(call.tally.estimated).toBeUndefined();
  });

  it("costs nothing when it failed for nothing", async () => {
    const { attempt } = await metered(failing(new Failure("model_not_found", "no")), { target: UNPRICED });
    expect(attempt).toMatchObject({ outcome: "failed", actualPicoUsd: 0n, actualUsd: 0 });
  });

  it("has no known cost when a failure may have been paid for", async () => {
    const { attempt } = await metered(failing(new Failure("cut", "gone")), { target: UNPRICED });
    expect(attempt).not.toHaveProperty("actualPicoUsd");
  });
});

describe("a stream that broke off", () => {
  const cut = new Failure("cut", "gone");

  it("is estimated by what was said until then, and never free", async () => {
    const { attempt, failure } = await metered(async () => replyOf([[event({ token: "Hello" })]], cut));
    expect(failure).toBe(cut);
    expect(attempt).toMatchObject({
      outcome: "failed",
      failureKind: "cut",
      usage: { provenance: "estimated" },
    });
    expect(attempt.actualPicoUsd).toBe(MOST_GUESSED + BigInt(2 + UNDER_WAY) * OUTPUT);
  });

  it("is not free even before it said anything", async () => {
    const { attempt } = await metered(failing(cut));
    expect(attempt.usage).toMatchObject({ provenance: "estimated", outputTokens: UNDER_WAY });
    expect(attempt.actualPicoUsd).toBe(MOST_GUESSED + BigInt(UNDER_WAY) * OUTPUT);
  });

  it("keeps what the provider had measured before", async () => {
    const { attempt } = await metered(async ({ attempt }) => {
      attempt.usage = usage("measured", { inputTokens: 5, outputTokens: 1 });
      return replyOf([[event({ token: "Hello" })]], cut);
    });
    expect(attempt).toMatchObject({
      outcome: "failed",
      usage: { provenance: "measured" },
      actualPicoUsd: 5n * INPUT + OUTPUT,
    });
  });

  it("is abandoned when its reader left, which is nobody's fault", async () => {
    const call = routedCallOf();
    const reply = await meter(accountsOf(clock))(async () => replyOf(spoken(["Hello", "world"])))(call);
    for await (const _ of reply.events) break;
    expect(lastOf(call)).toMatchObject({
      outcome: "abandoned",
      failureKind: "cancelled",
      usage: { provenance: "estimated" },
      actualPicoUsd: MOST_GUESSED + BigInt(2 + UNDER_WAY) * OUTPUT,
    });
  });

  it("stays as it ended when its reader leaves after that", async () => {
    const call = routedCallOf();
    const reply = await meter(accountsOf(clock))(reporting({ inputTokens: 1 }))(call);
    for await (const [first] of reply.events) if (first?.done) break;
    expect(lastOf(call)).toMatchObject({ outcome: "ok", actualPicoUsd: INPUT });
  });
});

describe("a unary call that failed", () => {
  const unary = { streaming: false };

  it("after the provider took it up may have been paid for, whatever its kind", async () => {
    const failure = new Failure("provider_overloaded", "no", { accepted: true });
    const { attempt } = await metered(failing(failure), unary);
    expect(attempt.usage).toMatchObject({ provenance: "estimated" });
    expect(attempt.actualPicoUsd).toBeGreaterThan(0n);
  });

  it.each(["provider_auth", "provider_rate_limited", "unreachable", "model_not_found"] as const)(
    "with %s costs nothing, and that is certain",
    async (kind) => {
      const { attempt, call } = await metered(failing(new Failure(kind, "no")), unary);
      expect(attempt).toMatchObject({ failureKind: kind, actualPicoUsd: 0n, actualUsd: 0 });
      expect(attempt.usage).toMatchObject({ provenance: "measured", totalTokens: 0 });
      expect(call.tally.estimated).toBeGreaterThan(0n);
    },
  );

  it.each([
    "cut",
    "provider_timeout",
    "deadline_exceeded",
    "malformed_reply",
    "cancelled",
    "shutting_down",
    "internal",
  ] as const)(
    "with %s may have been written and paid for all the same, and is booked as if it was",
    async (kind) => {
      const parameters = { maxTokens: 40, choices: 2 };
      const request = { messages: [{ role: "user", content: "Hello" }], parameters };
      const { attempt, call } = await metered(failing(new Failure(kind, "no")), { ...unary, request });
      expect(attempt).toMatchObject({
        failureKind: kind,
        usage: { provenance: "estimated", outputTokens: 80 },
      });
      expect(attempt.actualPicoUsd).toBe(MOST_GUESSED + 80n * OUTPUT);
      expect(call.tally.estimated).toBe(GUESSED + 80n * OUTPUT);
    },
  );

  it("is not booked for more than the model can write, nor for more than a count can say", async () => {
    const parameters = { maxTokens: 2 ** 31 - 1, choices: 3 };
    const request = { messages: [{ role: "user", content: "Hello" }], parameters };
    const late: Serve = async () => {
      await clock.advance(60_000);
      throw new Failure("provider_timeout", "gone");
    };
    expect((await metered(late, { ...unary, request, clock })).attempt.usage?.outputTokens).toBe(3_000);
    const much: Serve = async ({ attempt }) => {
      attempt.usage = usage("estimated", { outputTokens: 2 ** 31 - 1 });
      throw new Failure("cut", "gone");
    };
    const { attempt } = await metered(much, { ...unary, request, target: UNPRICED });
    expect(attempt.usage?.outputTokens).toBe(2 ** 31 - 1);
  });

  it("is internal when nobody foresaw it", async () => {
    const { attempt } = await metered(() => Promise.reject(new TypeError("x is not a function")), unary);
    expect(attempt).toMatchObject({ outcome: "failed", failureKind: "internal" });
  });
});

it("keeps the first attempt's estimate and price version for the call", async () => {
  const { call } = await metered(reporting({}), { before: { priceVersion: "older" } });
  expect(call.tally).toMatchObject({ estimated: undefined, priceVersion: "" });
  const { call: first } = await metered(reporting({}));
  expect(first.tally).toMatchObject({ estimated: GUESSED + 256n * OUTPUT, priceVersion: PRICE_VERSION });
});

it("hands the row down, so that the provider can report to it", async () => {
  const call = routedCallOf();
  const reply = await meter(accountsOf(clock))(async (below) => {
    expect(below.attempt).toBe(call.tally.attempts[0]);
    expect(below.attempt.outcome).toBe("pending");
    below.attempt.servedModel = "gpt-4o-2024-08-06";
    return replyOf(spoken([]));
  })(call);
  await eventsOf(reply);
  expect(lastOf(call)).toMatchObject({ servedModel: "gpt-4o-2024-08-06", outcome: "ok" });
});

it("tells of each attempt once, when it has ended and is priced", async () => {
  const told: string[] = [];
  const layer = meter(
    accountsOf(clock, {
      onSettled: ({ number, outcome, failureKind, actualPicoUsd }) => {
        told.push(`${number} ${outcome} ${failureKind} ${actualPicoUsd}`);
      },
    }),
  );
  const call = routedCallOf();
  await eventsOf(await layer(reporting({ inputTokens: 1 }))(call));
  await expect(layer(failing(new Failure("unreachable", "no")))(call)).rejects.toThrow();
  await layer(failing(new Failure("cut", "no")))({ ...call, target: UNPRICED }).catch(() => {});
  expect(told).toEqual([`1 ok  ${INPUT}`, "2 failed unreachable 0", "3 failed cut undefined"]);
});
