/** Batches through the real stack over the emulator: what they come to, to the trillionth of a dollar. */
import { afterAll, describe, expect, test } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { emulated } from "../emulator/emulated.ts";
import { batchStack, MINI, Spot } from "../support/batches.ts";
import { budgetOf } from "../support/budgets.ts";
import { lossyBefore } from "../support/lossy.ts";
import { answers, scriptedProvider } from "../support/provider.ts";
import { engines } from "../support/stores.ts";

const LINE = "/v1/chat/completions";
/** Of gpt-4o-mini in a batch: half of $0.15 and of $0.60 for a million. */
const INPUT = 75_000n;
const OUTPUT = 300_000n;

describe("a call", () => {
  test("is parked, answered, metered once, and costs half to the trillionth of a dollar", async () => {
    const emulator = await emulated();
    const spot = new Spot();
    const { run } = batchStack(emulator.url);
    const { said, attempt } = await run({ callId: "one", parking: spot });
    expect(said).toContain('answer to "Hello"');
    expect(JSON.parse(await spot.place)).toEqual({
      batch: expect.stringMatching(/^batch_/),
      customId: "one-1",
      lines: 1,
    });
    const lines = emulator.meter.requests.filter(({ path }) => path === LINE);
    expect(lines).toMatchObject([{ outcome: "served", model: "gpt-4o-mini" }]);
    const [{ inputTokens, outputTokens } = { inputTokens: 0, outputTokens: 0 }] = lines;
    expect(attempt).toMatchObject({
      outcome: "ok",
      servedModel: "gpt-4o-mini-2024-07-18",
      priceAssumed: false,
      usage: { provenance: "measured", serviceTier: "batch", inputTokens, outputTokens },
      actualPicoUsd: BigInt(inputTokens) * INPUT + BigInt(outputTokens) * OUTPUT,
    });
  });

  test("has the batch's price held ready for it, and estimated where usage is missing", async () => {
    const emulator = await emulated();
    const { run } = batchStack(emulator.url, { budgets: [budgetOf({ limitUsd: 1 })] });
    const { attempt } = await run({
      callId: "one",
      text: "[[emulate: no_usage=1]] Hello",
      parking: new Spot(),
    });
    expect(attempt?.usage).toMatchObject({ provenance: "estimated", serviceTier: "batch" });
    expect(attempt?.lineItems.map((item) => item.unitPicoUsd)).toEqual([INPUT, OUTPUT]);
    // A hundred tokens of output at most, and some of input.
    expect(attempt?.reservedPicoUsd).toBeGreaterThan(100n * OUTPUT);
    expect(attempt?.reservedPicoUsd).toBeLessThan(200n * OUTPUT);
  });

  test("that fails in its line fails as if it were alone, and the others do not", async () => {
    const emulator = await emulated();
    const { run } = batchStack(emulator.url);
    const [limited, refused, well] = await Promise.all([
      run({ callId: "a", text: "[[emulate: status=429]] Hello", parking: new Spot() }),
      run({ callId: "b", text: "[[emulate: code=context_length_exceeded]] Hello", parking: new Spot() }),
      run({ callId: "c", parking: new Spot() }),
    ]);
    expect(limited).toMatchObject({
      failure: { kind: "provider_rate_limited" },
      attempt: { actualPicoUsd: 0n },
    });
    expect(refused).toMatchObject({ failure: { kind: "context_too_long" }, attempt: { actualPicoUsd: 0n } });
    expect(well.attempt?.outcome).toBe("ok");
  });

  test("is in a batch of its model's, since a provider takes none of several", async () => {
    const emulator = await emulated();
    const { run } = batchStack(emulator.url);
    const runs = await Promise.all([
      run({ callId: "a", parking: new Spot() }),
      run({ callId: "b", parking: new Spot(), target: { ...MINI, model: "gpt-4o" } }),
    ]);
    expect(runs.map(({ attempt }) => attempt?.outcome)).toEqual(["ok", "ok"]);
  });

  test("may be one of a thousand in one batch", async () => {
    const emulator = await emulated();
    const { run } = batchStack(emulator.url);
    const runs = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) =>
        run({ callId: `n${n}`, text: `Say ${n}`, parking: new Spot() }),
      ),
    );
    expect(runs.filter(({ said }, n) => said?.includes(`"Say ${n}"`)).length).toBe(1_000);
    const made = emulator.meter.requests.filter(({ path }) => path === "/v1/batches");
    expect(made.length).toBe(1);
    const metered = emulator.meter.totals();
    const cost = runs.reduce((sum, { attempt }) => sum + (attempt?.actualPicoUsd ?? 0n), 0n);
    expect(cost).toBe(BigInt(metered.inputTokens) * INPUT + BigInt(metered.outputTokens) * OUTPUT);
  });

  test.each([
    [{ parking: undefined }, "submit it by SubmitJob"],
    [{ streaming: true }, "leave stream out"],
    [
      { target: { provider: "mistral", model: "m" } },
      "mistral has no batches here; choose a model of openai",
    ],
    [
      { target: { ...MINI, model: "o3-mini" } },
      "openai/o3-mini has no known price for batches; choose a model that has one, such as gpt-4o",
    ],
  ])("is refused with %o before anything counts as an attempt", async (fields, words) => {
    const { run } = batchStack("http://127.0.0.1:1");
    const { failure, attempt } = await run({ callId: "one", parking: new Spot(), ...fields });
    expect(failure).toMatchObject({ kind: "invalid_request", message: expect.stringContaining(words) });
    expect(failure).toMatchObject({ violations: [{ field: "parameters.service_tier" }] });
    expect(attempt).toBeUndefined();
  });
});

describe("a batch", () => {
  test("that expires fails what was not served, free of charge and worth another try", async () => {
    const emulator = await emulated({ batchWindowMs: 60 });
    const { run } = batchStack(emulator.url);
    const [late, well] = await Promise.all([
      run({ callId: "late", text: "[[emulate: hang=1]] Hello", parking: new Spot() }),
      run({ callId: "well", parking: new Spot() }),
    ]);
    expect(late).toMatchObject({
      failure: {
        kind: "provider_error",
        traits: { retryable: true },
        operator: expect.stringContaining("batch_expired"),
      },
      attempt: { outcome: "failed", actualPicoUsd: 0n },
    });
    expect(well.attempt?.outcome).toBe("ok");
  });

  test("that is one too many is free, and leaves its call to be made once there is room", async () => {
    const errors = { data: [{ code: "token_limit_exceeded", message: "Enqueued token limit reached" }] };
    await using full = await scriptedProvider((reply, request) => {
      const batch = {
        id: "batch_1",
        status: request.url === "/v1/batches" ? "validating" : "failed",
        errors,
      };
      answers(200, request.url === "/v1/files" ? { id: "file-1" } : batch)(reply, request);
    });
    const { run } = batchStack(full.origin);
    expect(await run({ callId: "one", parking: new Spot() })).toMatchObject({
      failure: { kind: "provider_rate_limited", noRoom: true },
      attempt: { outcome: "failed", actualPicoUsd: 0n },
    });
  });

  test("is cancelled when all have left, and what was served of it is booked as measured", async () => {
    const emulator = await emulated();
    const { run } = batchStack(emulator.url);
    const leaving = new AbortController();
    const spots = [new Spot(), new Spot()];
    const [hanging, served] = [
      run({ callId: "a", text: "[[emulate: hang=1]] Hello", parking: spots[0], signal: leaving.signal }),
      run({ callId: "b", text: "Hello", parking: spots[1], signal: leaving.signal }),
    ];
    await Promise.all(spots.map(({ place }) => place));
    await emulator.meter.ended(4);
    leaving.abort(new Failure("cancelled", "the job was cancelled"));
    expect(await hanging).toMatchObject({
      failure: { kind: "cancelled" },
      attempt: { outcome: "abandoned", usage: { provenance: "measured" }, actualPicoUsd: 0n },
    });
    const { failure, attempt } = await served;
    const [line] = emulator.meter.requests.filter(({ path }) => path === LINE);
    expect(failure).toMatchObject({ kind: "cancelled" });
    expect(attempt).toMatchObject({
      outcome: "abandoned",
      usage: { provenance: "measured", outputTokens: line?.outputTokens },
      actualPicoUsd: BigInt(line?.inputTokens ?? 0) * INPUT + BigInt(line?.outputTokens ?? 0) * OUTPUT,
    });
  });

  test("goes on for the others when one leaves, whose line is booked as estimated", async () => {
    const emulator = await emulated({ batchMs: 100 });
    const { run } = batchStack(emulator.url);
    const leaving = new AbortController();
    const spot = new Spot();
    const left = run({ callId: "a", parking: spot, signal: leaving.signal });
    const stays = run({ callId: "b", parking: new Spot() });
    await spot.place;
    leaving.abort(new Failure("cancelled", "the job was cancelled"));
    expect(await left).toMatchObject({
      failure: { kind: "cancelled" },
      attempt: { outcome: "abandoned", usage: { provenance: "estimated", serviceTier: "batch" } },
    });
    expect((await stays).attempt?.outcome).toBe("ok");
    expect(emulator.meter.requests.some(({ path }) => path.endsWith("/cancel"))).toBe(false);
  });

  test("outlasts the provider's time limit, and ends with the job's own", async () => {
    const emulator = await emulated({ batchMs: 100 });
    const { run } = batchStack(emulator.url);
    // A hundred milliseconds are twenty seconds here, and the provider's limit ten.
    expect((await run({ callId: "a", parking: new Spot() })).attempt?.outcome).toBe("ok");
    const text = "[[emulate: hang=1]] Hello";
    const { failure } = await run({ callId: "b", text, parking: new Spot(), timeoutMs: 15_000 });
    expect(failure).toMatchObject({ kind: "deadline_exceeded" });
  });

  test("that the provider has forgotten fails whoever takes it up", async () => {
    const emulator = await emulated();
    const { run } = batchStack(emulator.url);
    const parked = JSON.stringify({ batch: "batch_gone", customId: "one-1" });
    const { failure } = await run({ callId: "one", parking: new Spot(parked) });
    expect(failure).toMatchObject({
      kind: "provider_error",
      operator: expect.stringContaining("No batch found"),
    });
  });

  test("whose making was not heard of is found, and paid for once", async () => {
    const emulator = await emulated();
    await using lossy = await lossyBefore(emulator.url, ({ url }) => url === "/v1/batches");
    const { run } = batchStack(lossy.url);
    const { attempt, said } = await run({ callId: "one", parking: new Spot() });
    expect(said).toContain('answer to "Hello"');
    expect(attempt).toMatchObject({ number: 1, outcome: "ok", usage: { provenance: "measured" } });
    const made = emulator.meter.requests.filter(({ path }) => path === "/v1/batches");
    expect(made.length).toBe(1);
  });

  test("whose making fails fails every call of it, and costs nothing", async () => {
    const { run } = batchStack("http://127.0.0.1:1");
    const runs = await Promise.all(["a", "b"].map((callId) => run({ callId, parking: new Spot() })));
    for (const { failure, attempt } of runs)
      expect([failure, attempt]).toMatchObject([{ kind: "unreachable" }, { actualPicoUsd: 0n }]);
    expect(runs[0]?.failure).not.toBe(runs[1]?.failure);
  });
});

describe.each(engines("a batch that outlasts its gateway"))("on $name", (engine) => {
  afterAll(() => engine.stop());

  test("a call that outlasts its gateway has one row, with what was measured", async () => {
    const emulator = await emulated({ batchMs: 100 });
    const place = await engine.place();
    const budgets = [budgetOf({ limitUsd: 1 })];
    const before = await place.open("first");
    const first = batchStack(emulator.url, { store: before, budgets });
    const [stopping, spot] = [new AbortController(), new Spot()];
    const running = first.run({ callId: "one", parking: spot, signal: stopping.signal });
    const where = await spot.place;
    stopping.abort(new Failure("shutting_down", "the gateway is being stopped"));
    const { failure, attempt } = await running;
    expect(failure).toMatchObject({ kind: "shutting_down", suspended: true });
    expect(attempt).toMatchObject({ outcome: "pending", failureKind: "" });
    const [held] = first.wall.snapshot(1);
    expect(held).toMatchObject({ spent: attempt?.reservedPicoUsd, reserved: 0n });
    await first.ledger?.close();
    const rows = () =>
      place.rows("SELECT state, cost_pico_usd, reserved_pico_usd, service_tier FROM attempts");
    expect(await rows()).toMatchObject([{ state: "open", cost_pico_usd: null }]);

    await before.close();
    const store = await place.open("second");
    expect(await store.ledger.closeOrphans(Date.now())).toBe(1);
    expect(await rows()).toMatchObject([{ state: "unknown", reserved_pico_usd: attempt?.reservedPicoUsd }]);
    // Nothing is left of the budget, and what is paid for is had all the same.
    const second = batchStack(emulator.url, { store, budgets: [budgetOf({ limitUsd: 1e-9 })] });
    const taken = await second.run({ callId: "one", parking: new Spot(where) });
    expect(taken.attempt).toMatchObject({ number: 1, outcome: "ok" });
    await second.ledger?.close();
    const [line, ...more] = emulator.meter.requests.filter(({ path }) => path === LINE);
    expect(more).toEqual([]);
    const cost = BigInt(line?.inputTokens ?? 0) * INPUT + BigInt(line?.outputTokens ?? 0) * OUTPUT;
    expect(await rows()).toMatchObject([{ state: "settled", cost_pico_usd: cost, service_tier: "batch" }]);
  });
});
