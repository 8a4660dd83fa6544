import type { ChatCompletion } from "openai/resources/chat/completions";
import { describe, expect, test } from "vitest";
import { CHAOS_PROFILES, type ChaosProfile, chooseFault } from "../../src/emulator/fault.ts";
import { type EmulatorOptions, startEmulator } from "../../src/emulator/server.ts";
import { postChat, readJson } from "./emulated.ts";

/** What a fresh emulator answers to the same few requests: bodies, and ids in the headers. */
async function run(options: EmulatorOptions): Promise<string[]> {
  const emulator = await startEmulator(options);
  const answers: string[] = [];
  for (const fields of [{}, { stream: true }, { n: 2 }, { response_format: { type: "json_object" } }]) {
    const response = await postChat(emulator, "What is new?", fields);
    answers.push(`${response.headers.get("x-request-id")} ${await response.text()}`);
  }
  await emulator.close();
  return answers;
}

test("the same seed gives the same bytes, another gives others", async () => {
  const [first, second, other] = [await run({ seed: 7 }), await run({ seed: 7 }), await run({ seed: 8 })];
  expect(second).toEqual(first);
  for (const [index, answer] of other.entries()) expect(answer).not.toBe(first[index]);
});

test("the text depends on the question and not on when it is asked", async () => {
  const emulator = await startEmulator();
  const ask = async (content: string) => {
    const reply = await readJson<ChatCompletion>(await postChat(emulator, content));
    return reply.choices[0]?.message.content;
  };
  const first = await ask("One");
  expect(await ask("Two")).not.toBe(first);
  expect(await ask("One")).toBe(first);
  await emulator.close();
});

describe("chaos", () => {
  const STEADY = { fault: undefined, firstTokenMs: 0, paceMs: 0 };
  const draw = (seed: number, chaos: number, profile: ChaosProfile = "all") =>
    Array.from(
      { length: 2_000 },
      (_, ordinal) => chooseFault(undefined, { ...STEADY, seed, chaos, profile }, ordinal)?.name,
    );

  test("draws faults by seed and ordinal, for about its share of all requests", () => {
    expect(draw(3, 0.25)).toEqual(draw(3, 0.25));
    expect(draw(3, 0.25)).not.toEqual(draw(4, 0.25));
    const faults = draw(3, 0.25).filter((name) => name !== undefined);
    expect(faults.length).toBeGreaterThan(400);
    expect(faults.length).toBeLessThan(600);
    expect(new Set(faults.map((name) => name.split("=", 1)[0])).size).toBe(11);
    expect(draw(3, 0).every((name) => name === undefined)).toBe(true);
  });

  test.each(CHAOS_PROFILES.filter((profile) => profile !== "all"))("draws what fits: %s", (profile) => {
    const drawn = draw(3, 1, profile);
    const others = CHAOS_PROFILES.filter((other) => other !== "all" && other !== profile);
    for (const other of others) expect(new Set(drawn).intersection(new Set(draw(3, 1, other))).size).toBe(0);
    expect(drawn.every((name) => name !== undefined)).toBe(true);
  });

  test("leaves its mark to a request that it strikes, and to one that asks for a fault", () => {
    const by = { ...STEADY, seed: 3, chaos: 1, profile: "refuse", paceMs: 5 } as const;
    expect(chooseFault({ name: "", mark: "a" }, by, 0)).toMatchObject({
      mark: "a",
      status: expect.anything(),
    });
    const asked = { name: "cut=1", cutAfter: 1, mark: "b" };
    expect(chooseFault(asked, by, 0)).toEqual({ ...asked, firstTokenMs: 0, intervalMs: 5 });
    expect(chooseFault(undefined, { ...by, chaos: 0 }, 0)).toEqual({
      name: "",
      firstTokenMs: 0,
      intervalMs: 5,
    });
    expect(chooseFault({ name: "flood=1", flood: true }, by, 0)?.intervalMs).toBeUndefined();
  });

  test("strikes requests that carry no directive, and notes it", async () => {
    const emulator = await startEmulator({ chaos: 1, seed: 5 });
    const asks = Array.from({ length: 30 }, (_, index) =>
      postChat(emulator, "Hi", { stream: index % 2 === 0 }).then((response) => response.text()),
    );
    await Promise.allSettled([...asks, postChat(emulator, "Hi [[emulate: tokens=5]]")]);
    await emulator.meter.ended(31);
    const { requests } = emulator.meter;
    expect(requests.every((record) => record.fault !== undefined)).toBe(true);
    expect(requests.filter((record) => record.fault === "tokens=5").length).toBe(1);
    expect(new Set(requests.map((record) => record.outcome)).size).toBeGreaterThan(1);
    await emulator.close();
  });

  test("gives its share the one fault that its owner wants, from the moment on when he wants it", async () => {
    const emulator = await startEmulator({ seed: 3, chaos: 0.25, fault: "status=503" });
    const statuses = async () => {
      const replies = await Promise.all(Array.from({ length: 200 }, () => postChat(emulator, "Hi")));
      return Map.groupBy(replies, ({ status }) => status);
    };
    const some = await statuses();
    expect([...some.keys()].sort()).toEqual([200, 503]);
    expect(some.get(503)?.length).toBeGreaterThan(30);
    expect(some.get(503)?.length).toBeLessThan(70);
    emulator.misbehave({ chaos: 1 });
    expect([...(await statuses()).keys()]).toEqual([503]);
    emulator.misbehave({ fault: "status=429" });
    expect([...(await statuses()).keys()]).toEqual([429]);
    emulator.misbehave({ chaos: 0 });
    expect([...(await statuses()).keys()]).toEqual([200]);
    await emulator.close();
  });

  test("strikes what takes its time for a first word as well", async () => {
    const emulator = await startEmulator({ firstTokenMs: 60, chaos: 0.5, fault: "first_token_ms=0" });
    const spans = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const began = performance.now();
        await (await postChat(emulator, "Hi")).text();
        return performance.now() - began;
      }),
    );
    const patient = emulator.meter.requests.filter(({ fault }) => fault === undefined).length;
    expect(spans.filter((ms) => ms >= 55).length).toBeGreaterThanOrEqual(patient);
    expect(patient).toBeGreaterThan(0);
    expect(patient).toBeLessThan(20);
    await emulator.close();
  });

  test("is a share, and its fault one that there is", async () => {
    await expect(startEmulator({ chaos: 2 })).rejects.toThrow(RangeError);
    await expect(startEmulator({ fault: "stauts=429" })).rejects.toThrow("stauts");
  });
});
