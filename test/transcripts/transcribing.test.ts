/** What is said, as the configuration has it kept: for so many days, from whom it may be, and not at all when it is off. */
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import pino from "pino";
import { afterAll, describe, expect, it, vi } from "vitest";
import { ConfigSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { RequestTextSchema } from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import { withDefaults } from "../../src/config/defaults.ts";
import type { Call, Layer } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { event } from "../../src/core/reply.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import { openTranscribing } from "../../src/transcribing.ts";
import { type CallInit, callOf, eventsOf, replyOf, spoken } from "../support/call.ts";
import { VirtualClock } from "../support/clock.ts";
import { engines } from "../support/stores.ts";

type Capture = MessageInitShape<typeof ConfigSchema>["contentCapture"];

const DAY_MS = 86_400_000;
const configOf = (contentCapture: Capture) => withDefaults(create(ConfigSchema, { contentCapture }));
const ON = configOf({ enabled: true });
const OFF = configOf({});
const unmoderated: Layer = (next) => next;

describe.each(engines("what is said"))("what is said, on $name", (engine) => {
  afterAll(() => engine.stop());

  async function opened(config = ON) {
    const { transcripts } = await (await engine.place()).open();
    const clock = new VirtualClock();
    const signals = { logger: pino({ level: "silent" }), metrics: createMetrics() };
    const means = { env: {}, signals, clock, isHeldUp: () => false };
    const transcribing = openTranscribing(config, transcripts, means);
    const service = transcribing.around(unmoderated, config)(async () => replyOf(spoken(["Hi", " there"])));
    let next = 0;
    const call = async (init: CallInit = {}) => {
      const callId = `call-${next++}`;
      await eventsOf(await service(callOf({ ...init, context: { callId, ...init.context } })));
      return callId;
    };
    const read = async (id: string) => {
      await transcribing.flush();
      const text = await transcripts.get(id);
      return text && fromBinary(RequestTextSchema, text);
    };
    return { transcribing, clock, call, read };
  }

  it("is kept for the days that are set, whether or not it is still switched on", async () => {
    const { transcribing, clock, call, read } = await opened(configOf({ enabled: true, retentionDays: 2 }));
    const id = await call();
    expect((await read(id))?.choices[0]?.message?.content).toBe("Hi there");
    await clock.advance(2 * DAY_MS);
    expect(await read(id)).toBeDefined();
    transcribing.replace(configOf({ retentionDays: 3 }));
    await clock.advance(DAY_MS);
    expect(await read(id)).toBeDefined();
    await vi.waitFor(async () => {
      // Once a minute, behind the time before.
      await clock.advance(60_000);
      expect(await read(id)).toBeUndefined();
    });
    await transcribing.close();
  });

  it("is kept no more at once when it is switched off, what waits included", async () => {
    const { transcribing, call, read } = await opened();
    const before = await call();
    await transcribing.flush();
    const waiting = await call();
    transcribing.replace(OFF);
    const after = await call();
    expect(await read(before)).toBeDefined();
    expect(await read(waiting)).toBeUndefined();
    expect(await read(after)).toBeUndefined();
    transcribing.replace(ON);
    expect(await read(await call())).toBeDefined();
    await transcribing.close();
  });
});

describe("a call whose words may be kept", () => {
  const means = () => ({
    env: {},
    signals: { logger: pino({ level: "silent" }), metrics: createMetrics() },
    clock: new VirtualClock(),
    isHeldUp: () => false,
  });
  const kept: string[] = [];
  const store = {
    keep: async (rows: readonly { callId: string }[]) => void kept.push(...rows.map(({ callId }) => callId)),
    get: async () => undefined,
    delete: async () => 0,
    sweep: async () => {},
  };

  it("goes the very same way as before where nothing is kept", () => {
    const transcribing = openTranscribing(OFF, store, means());
    expect(transcribing.around(unmoderated, OFF)).toBe(unmoderated);
    expect(transcribing.around(unmoderated, ON)).not.toBe(unmoderated);
  });

  it("is kept with what failed, but not what moderation refused, or what goes on elsewhere", async () => {
    const transcribing = openTranscribing(ON, store, means());
    const failing = async (callId: string, failure: Failure, moderated = unmoderated) => {
      const service = transcribing.around(
        moderated,
        ON,
      )(async () => {
        throw failure;
      });
      await expect(service(callOf({ context: { callId } }))).rejects.toBe(failure);
    };
    await failing("failed", new Failure("provider_error", "it broke"));
    await failing("refused", new Failure("content_refused", "no"));
    await failing("unseen", new Failure("moderation_unavailable", "nobody looked"));
    const elsewhere = new Failure("cancelled", "parked", { suspended: true });
    await failing("elsewhere", elsewhere);
    // It left before moderation was done, so that nobody knows what is in it.
    const left = new Failure("cancelled", "the caller left");
    await failing("left", left, () => async () => {
      throw left;
    });
    await transcribing.flush();
    expect(kept.splice(0)).toEqual(["failed"]);
  });

  it("is counted where it is lost", async () => {
    const around = means();
    const full = { ...store, keep: () => Promise.reject(new Error("no space is left")) };
    const transcribing = openTranscribing(ON, full, around);
    const service = transcribing.around(unmoderated, ON)(async () => replyOf(spoken(["Hi"])));
    await eventsOf(await service(callOf()));
    await transcribing.close();
    const { textsDropped, textsKept } = around.signals.metrics;
    expect((await textsDropped.get()).values).toMatchObject([{ labels: { reason: "failed" }, value: 1 }]);
    expect((await textsKept.get()).values).toMatchObject([{ value: 0 }]);
  });

  it("is given to its caller whole, however little of it is kept", async () => {
    const config = configOf({ enabled: true, maxBytesPerRequest: 1_024 });
    const transcribing = openTranscribing(config, store, means());
    const long = Array.from({ length: 1_000 }, () => [event({ token: "word ".repeat(10) })]);
    const seen: Call[] = [];
    const service = transcribing.around(
      unmoderated,
      config,
    )(async (call) => {
      seen.push(call);
      return replyOf([...long, [event({ done: true, finishReason: "stop" })]]);
    });
    expect(await eventsOf(await service(callOf()))).toHaveLength(1_001);
    expect(seen[0]?.tally.transcript).toBeDefined();
    await transcribing.flush();
    expect(kept.splice(0)).toEqual(["call-1"]);
  });
});
