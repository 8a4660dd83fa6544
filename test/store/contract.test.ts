/** What is asked of a store holds on both engines. */
import { afterAll, describe, expect, it } from "vitest";
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { Intent } from "../../src/core/ledger.ts";
import type { PicoUsd } from "../../src/core/money.ts";
import { receiptOf } from "../../src/core/receipt.ts";
import { usage } from "../../src/core/usage.ts";
import { callOf } from "../support/call.ts";
import { batchOf, callRowOf, intentOf, settlementOf } from "../support/ledger.ts";
import { engines } from "../support/stores.ts";

const HOUR = 3_600_000;
const THIS_HOUR = 500_000 * HOUR;
const NOW = THIS_HOUR + 1_234_567;
/** Before anything began. */
const EVER = 0;

describe.each(engines("the store"))("the ledger's store on $name", (engine) => {
  afterAll(() => engine.stop());

  it("keeps all that is told of an attempt and of a call", async () => {
    const place = await engine.place();
    const { ledger } = await place.open("instance-1");
    const tags = { team: "search", "a.b": 'quote " and ä' };
    const used = usage("estimated", {
      inputTokens: 100,
      cachedInputTokens: 40,
      cacheWriteTokens: 20,
      cacheWrite1hTokens: 5,
      audioInputTokens: 3,
      imageInputTokens: 4,
      toolUseInputTokens: 6,
      outputTokens: 50,
      reasoningTokens: 7,
      audioOutputTokens: 8,
      imageOutputTokens: 9,
      serviceTier: "flex",
    });
    const item = { kind: "input", count: 100n, unitPicoUsd: 2n ** 60n, picoUsd: 5n };
    const attempt: Partial<Omit<Attempt, "$typeName">> = {
      number: 2,
      provider: "claude",
      model: "claude-sonnet-5",
      priceVersion: "7",
      trigger: "retry",
    };
    await ledger.append(
      batchOf({
        intents: [
          intentOf("call-1", {
            startedAtMs: NOW,
            tenant: "red",
            principal: "key-1",
            tags,
            variant: "trial/a",
            route: "alias:fast",
            attempt,
          }),
          intentOf("call-2", { startedAtMs: NOW, attempt: { reservedPicoUsd: undefined as never } }),
        ],
        settlements: [
          settlementOf("call-1", {
            ...attempt,
            outcome: "failed",
            failureKind: "cut",
            latencyMs: 321,
            firstEventMs: 32,
            servedModel: "claude-sonnet-5-1",
            usage: used,
            reservedPicoUsd: 1_000n,
            // More than a double holds.
            actualPicoUsd: 2n ** 62n + 1n,
            lineItems: [{ $typeName: "llmgateway.v1.LineItem", ...item }],
          }),
        ],
        calls: [
          callRowOf("call-1", {
            startedAtMs: NOW,
            endedAtMs: NOW + 400,
            tags,
            outcome: "failed",
            failureKind: "cut",
            experiment: { name: "trial", variant: "a", group: 0 },
          }),
        ],
      }),
    );
    const [one, two] = await place.rows("SELECT * FROM attempts ORDER BY call_id");
    const { tags: keptTags, line_items: keptItems, ...rest } = one ?? {};
    expect(rest).toEqual({
      call_id: "call-1",
      number: 2n,
      request_id: "request of call-1",
      instance: "instance-1",
      started_at_ms: BigInt(NOW),
      settled_at_ms: 1_000_100n,
      tenant: "red",
      principal: "key-1",
      operation: "chat",
      provider: "claude",
      model: "claude-sonnet-5",
      route: "alias:fast",
      trigger: "retry",
      served_model: "claude-sonnet-5-1",
      price_version: "7",
      reserved_pico_usd: 1_000n,
      state: "settled",
      outcome: "failed",
      failure_kind: "cut",
      latency_ms: 321n,
      first_event_ms: 32n,
      provenance: "estimated",
      input_tokens: 100n,
      cached_input_tokens: 40n,
      cache_write_tokens: 20n,
      cache_write_1h_tokens: 5n,
      audio_input_tokens: 3n,
      image_input_tokens: 4n,
      tool_use_input_tokens: 6n,
      output_tokens: 50n,
      reasoning_tokens: 7n,
      audio_output_tokens: 8n,
      image_output_tokens: 9n,
      service_tier: "flex",
      cost_pico_usd: 2n ** 62n + 1n,
      variant: "trial/a",
      rolled_up: 0n,
    });
    expect(JSON.parse(String(keptTags))).toEqual(tags);
    expect(String(keptItems).replaceAll(" ", "")).toContain(`"unit_pico_usd":${2n ** 60n}`);
    expect(two).toMatchObject({
      state: "open",
      outcome: "pending",
      reserved_pico_usd: null,
      settled_at_ms: null,
      latency_ms: null,
      first_event_ms: null,
      provenance: "unknown",
      input_tokens: null,
      cost_pico_usd: null,
    });
    const [call] = await place.rows("SELECT * FROM calls");
    expect(call).toMatchObject({
      call_id: "call-1",
      request_id: "request-1",
      started_at_ms: BigInt(NOW),
      ended_at_ms: BigInt(NOW + 400),
      tenant: "internal",
      principal: "anonymous",
      method: "Chat",
      operation: "chat",
      protocol: "rest",
      outcome: "failed",
      failure_kind: "cut",
      finish_reason: "stop",
      attempts: 0n,
      provenance: "measured",
      estimated_pico_usd: null,
      cost_pico_usd: 0n,
      saved_pico_usd: 0n,
      cache_outcome: "",
      cache_kind: "",
      variant: "trial/a",
    });
  });

  it("keeps how the cache answered a call, and what that saved", async () => {
    const place = await engine.place();
    const { ledger } = await place.open();
    const hit = callOf();
    hit.tally.cache = {
      $typeName: "llmgateway.v1.CacheLookup",
      outcome: "hit",
      reason: "",
      sourceRequestId: "before",
    };
    hit.tally.served = {
      kind: "semantic",
      provider: "openai",
      model: "gpt-4o",
      costPicoUsd: (2n ** 62n + 1n) as PicoUsd,
    };
    await ledger.append(batchOf({ calls: [callRowOf("call-1", { receipt: receiptOf(hit) })] }));
    expect(await place.rows("SELECT * FROM calls")).toMatchObject([
      {
        provider: "openai",
        model: "gpt-4o",
        attempts: 0n,
        cost_pico_usd: 0n,
        saved_pico_usd: 2n ** 62n + 1n,
        cache_outcome: "hit",
        cache_kind: "semantic",
      },
    ]);
  });

  it("keeps a batch once, however often it is written", async () => {
    const place = await engine.place();
    const { ledger } = await place.open();
    const batch = batchOf({
      intents: [intentOf("a"), intentOf("a", { attempt: { number: 2 } }), intentOf("b")],
      settlements: [settlementOf("a"), settlementOf("b", { actualPicoUsd: 7n })],
      calls: [callRowOf("a"), callRowOf("b")],
    });
    await ledger.append(batch);
    const before = await everything(place);
    await ledger.append(batch);
    expect(await everything(place)).toEqual(before);
    expect(await ledger.spent({}, EVER)).toBe(500n + 900n + 7n);
    // The first settlement stands.
    await ledger.append(batchOf({ settlements: [settlementOf("b", { actualPicoUsd: 8n })] }));
    expect(await everything(place)).toEqual(before);
  });

  it("writes all of a batch or nothing, and goes on", async () => {
    const place = await engine.place();
    const { ledger } = await place.open();
    const wrong = callRowOf("b", { endedAtMs: "never" as never });
    await expect(
      ledger.append(batchOf({ intents: [intentOf("a")], calls: [callRowOf("a"), wrong] })),
    ).rejects.toThrow();
    expect(await everything(place)).toEqual([[], []]);
    await ledger.append(batchOf({ intents: [intentOf("a")] }));
    expect(await ledger.spent({}, EVER)).toBe(900n);
  });

  it("keeps counts that nobody expects, as the most that a column holds", async () => {
    const place = await engine.place();
    const { ledger } = await place.open();
    const most = 2 ** 31 - 1;
    const used = usage("measured", {
      inputTokens: most + 7,
      cachedInputTokens: most,
      outputTokens: 2 * most,
    });
    const attempt = { latencyMs: 1.7e12, firstEventMs: 1.7e12, usage: used };
    await ledger.append(batchOf({ intents: [intentOf("a")], settlements: [settlementOf("a", attempt)] }));
    const columns = "input_tokens, cached_input_tokens, output_tokens, latency_ms, first_event_ms";
    const [row = {}] = await place.rows(`SELECT ${columns} FROM attempts`);
    expect(Object.values(row).map(Number)).toEqual([most, most, most, most, most]);
  });

  it("keeps what callers make up", async () => {
    const place = await engine.place();
    const { ledger } = await place.open();
    const tags = { "nul\0": "half \ud800 of a pair", plain: "\\u0000 'quoted' \x1f" };
    const attempt = { model: "a\0b\udc00", servedModel: "\0" };
    const intents = [intentOf("a", { tags, requestId: "\0", attempt })];
    await ledger.append(batchOf({ intents, settlements: [settlementOf("a", attempt)] }));
    const [row] = await place.rows("SELECT request_id, model, served_model, tags FROM attempts");
    expect(row).toMatchObject({ request_id: "\ufffd", model: "a\ufffdb\ufffd", served_model: "\ufffd" });
    expect(JSON.parse(String(row?.tags))).toEqual({
      "nul\ufffd": "half \ufffd of a pair",
      plain: tags.plain,
    });
    expect(await ledger.spent({ tags: { plain: tags.plain } }, EVER)).toBe(500n);
    expect(await ledger.spent({ model: attempt.model, tags }, EVER)).toBe(500n);
  });

  it("tells what was spent by each that a budget can be about, and since when", async () => {
    const { ledger } = await (await engine.place()).open();
    const costs: [bigint, Partial<Intent>, Partial<Omit<Attempt, "$typeName">>][] = [
      [
        1n,
        { tenant: "red", principal: "k1", tags: { team: "a", stage: "x" }, startedAtMs: THIS_HOUR - 1 },
        {},
      ],
      [10n, { tenant: "red", principal: "k2", tags: { team: "b" } }, {}],
      [100n, { tenant: "blue", principal: "k1", tags: {} }, { provider: "claude", model: "m" }],
      [1_000n, { tenant: "blue", principal: "k3", tags: { team: "a" } }, { model: "m" }],
      [10_000n, { tenant: "green", principal: "k4", tags: { team: "" } }, { model: "n" }],
    ];
    for (const [index, [cost, payer, attempt]] of costs.entries()) {
      const intents = [intentOf(`${index}`, { startedAtMs: THIS_HOUR, ...payer, attempt })];
      const settlements = [settlementOf(`${index}`, { ...attempt, actualPicoUsd: cost })];
      await ledger.append(batchOf({ intents, settlements }));
    }
    const told = async () => ({
      all: await ledger.spent({}, EVER),
      hour: await ledger.spent({}, THIS_HOUR),
      later: await ledger.spent({}, THIS_HOUR + HOUR),
      tenant: await ledger.spent({ tenant: "red" }, EVER),
      principal: await ledger.spent({ principal: "k1" }, EVER),
      provider: await ledger.spent({ provider: "claude" }, EVER),
      model: await ledger.spent({ model: "m" }, EVER),
      tag: await ledger.spent({ tags: { team: "a" } }, EVER),
      tags: await ledger.spent({ tags: { team: "a", stage: "x" } }, EVER),
      untagged: await ledger.spent({ tags: { team: "" } }, EVER),
      unstaged: await ledger.spent({ tags: { team: "a", stage: "" } }, EVER),
      some: await ledger.spent({ tenant: "blue", model: "m", tags: { team: "a" } }, EVER),
      none: await ledger.spent({ tenant: "red", principal: "k3" }, EVER),
    });
    const right = {
      all: 11_111n,
      hour: 11_110n,
      later: 0n,
      tenant: 11n,
      principal: 101n,
      provider: 100n,
      model: 1_100n,
      tag: 1_001n,
      tags: 1n,
      untagged: 10_100n,
      unstaged: 1_000n,
      some: 1_000n,
      none: 0n,
    };
    expect(await told()).toEqual(right);
    await ledger.rollUp(THIS_HOUR + HOUR, EVER);
    expect(await told()).toEqual(right);
    await ledger.rollUp(THIS_HOUR + HOUR, THIS_HOUR + HOUR);
    expect(await told()).toEqual(right);
  });

  it("sums beyond 64 bits", async () => {
    const { ledger } = await (await engine.place()).open();
    const most = 2n ** 63n - 1n;
    const ids = ["a", "b", "c"];
    await ledger.append(
      batchOf({
        intents: ids.map((id) => intentOf(id)),
        // What no database can hold counts as the most that it can.
        settlements: ids.map((id) => settlementOf(id, { actualPicoUsd: id === "c" ? most + 1n : most })),
      }),
    );
    expect(await ledger.spent({}, EVER)).toBe(3n * most);
  });

  it("counts what is open with what is reserved, and what is unpriced with nothing", async () => {
    const { ledger } = await (await engine.place()).open();
    const intents = ["open", "unpriced", "unreserved"].map((id) =>
      intentOf(id, id === "unreserved" ? { attempt: { reservedPicoUsd: undefined as never } } : {}),
    );
    const settlements = [settlementOf("unpriced", { actualPicoUsd: undefined as never })];
    await ledger.append(batchOf({ intents, settlements }));
    expect(await ledger.spent({}, EVER)).toBe(900n);
  });

  it("sums whole hours, deletes what is old and never counts twice", async () => {
    const place = await engine.place();
    const { ledger } = await place.open();
    const ages = [5, 4, 3, 2, 1, 0];
    const intents = ages.flatMap((age) =>
      ["a", "b"].map((id) =>
        intentOf(`${id}${age}`, { startedAtMs: NOW - age * HOUR, tags: { age: `${age}` } }),
      ),
    );
    const settlements = ages.map((age) =>
      settlementOf(`a${age}`, {
        actualPicoUsd: 10n ** BigInt(age),
        ...(age === 1 ? { outcome: "failed" } : {}),
      }),
    );
    const calls = ages.map((age) => callRowOf(`a${age}`, { startedAtMs: NOW - age * HOUR }));
    await ledger.append(batchOf({ intents, settlements, calls }));
    const spent = async () => Promise.all(ages.map((age) => ledger.spent({}, THIS_HOUR - age * HOUR)));
    const before = await spent();
    expect(before[0]).toBe(111_111n + 6n * 900n);

    await ledger.rollUp(NOW, NOW - 3 * HOUR);
    expect(await spent()).toEqual(before);
    const left = await place.rows("SELECT call_id FROM attempts ORDER BY call_id");
    // Those that are open stay, however old.
    expect(left.map(({ call_id }) => call_id)).toEqual([
      "a0",
      "a1",
      "a2",
      "a3",
      "b0",
      "b1",
      "b2",
      "b3",
      "b4",
      "b5",
    ]);
    const calledSince = await place.rows("SELECT call_id FROM calls ORDER BY call_id");
    expect(calledSince.map(({ call_id }) => call_id)).toEqual(["a0", "a1", "a2", "a3"]);
    const hours = await place.rows("SELECT * FROM spend_hours WHERE attempts > 0 ORDER BY hour_ms");
    expect(hours.map(({ hour_ms }) => hour_ms)).toEqual(
      [5, 4, 3, 2, 1].map((age) => BigInt(THIS_HOUR - age * HOUR)),
    );
    expect(hours.at(-1)).toMatchObject({
      tenant: "internal",
      principal: "anonymous",
      provider: "openai",
      model: "gpt-4o",
      operation: "chat",
      attempts: 1n,
      ok: 0n,
      failed: 1n,
      unknown: 0n,
      estimated: 0n,
      unpriced: 0n,
      input_tokens: 10n,
      output_tokens: 20n,
      cost_pico_usd: 10n,
      unknown_pico_usd: 0n,
    });

    // Late ones join the sums of their hour.
    await ledger.append(batchOf({ settlements: [settlementOf("b5", { actualPicoUsd: 3n })] }));
    const after = before.map((sum, index) => (index === 0 ? sum - 900n + 3n : sum));
    expect(await spent()).toEqual(after);
    await ledger.rollUp(NOW, NOW);
    await ledger.rollUp(NOW, NOW);
    expect(await spent()).toEqual(after);
    for (const table of ["spend_hours", "spend_days"])
      expect(
        await place.rows(`SELECT sum(attempts) AS attempts, sum(requests) AS requests FROM ${table}`),
      ).toEqual([{ attempts: 6n, requests: 5n }]);
  });

  it("tells what was spent since any hour, over days that are summed and days that are not", async () => {
    const { ledger } = await (await engine.place()).open();
    const hours = Array.from({ length: 60 }, (_, age) => THIS_HOUR - age * HOUR);
    const intents = hours.map((startedAtMs) => intentOf(`${startedAtMs}`, { startedAtMs }));
    const settlements = hours.map((startedAtMs) => settlementOf(`${startedAtMs}`, { actualPicoUsd: 3n }));
    await ledger.append(batchOf({ intents, settlements }));
    const spent = () => Promise.all(hours.map((sinceMs) => ledger.spent({ tenant: "internal" }, sinceMs)));
    const right = hours.map((_, age) => 3n * BigInt(age + 1));
    expect(await spent()).toEqual(right);
    for (const age of [30, 1, 0]) {
      await ledger.rollUp(THIS_HOUR - age * HOUR, EVER);
      expect(await spent()).toEqual(right);
    }
  });

  it("rolls up more than it takes at once", async () => {
    const place = await engine.place();
    const { ledger } = await place.open();
    const ids = Array.from({ length: 5_500 }, (_, index) => `${index}`);
    await ledger.append(
      batchOf({
        intents: ids.map((id) => intentOf(id)),
        settlements: ids.map((id) => settlementOf(id, { actualPicoUsd: 1n })),
        calls: ids.map((id) => callRowOf(id)),
      }),
    );
    // Twice at once, as two replicas would.
    await Promise.all([ledger.rollUp(NOW, NOW), ledger.rollUp(NOW, NOW)]);
    expect(await everything(place)).toEqual([[], []]);
    expect(await ledger.spent({}, EVER)).toBe(5_500n);
    for (const table of ["spend_hours", "spend_days"])
      expect(await place.rows(`SELECT attempts, requests FROM ${table} ORDER BY attempts`)).toEqual([
        { attempts: 0n, requests: 5_500n },
        { attempts: 5_500n, requests: 0n },
      ]);
  });

  it("books what a gateway that is gone left open, and only that", async () => {
    const place = await engine.place();
    const gone = await place.open("gone");
    await gone.ledger.append(
      batchOf({ intents: [intentOf("a"), intentOf("b"), intentOf("c")], settlements: [settlementOf("c")] }),
    );
    await gone.close();
    const { ledger } = await place.open("here");
    await ledger.append(batchOf({ intents: [intentOf("own")] }));
    expect(await ledger.closeOrphans(NOW)).toBe(2);
    expect(await ledger.closeOrphans(NOW)).toBe(0);
    const rows = await place.rows(
      "SELECT call_id, state, outcome, settled_at_ms, cost_pico_usd FROM attempts ORDER BY call_id",
    );
    const orphan = { state: "unknown", outcome: "unknown", settled_at_ms: BigInt(NOW), cost_pico_usd: null };
    expect(rows).toMatchObject([
      { call_id: "a", ...orphan },
      { call_id: "b", ...orphan },
      { call_id: "c", state: "settled" },
      { call_id: "own", state: "open" },
    ]);
    expect(await ledger.spent({}, EVER)).toBe(900n + 900n + 500n + 900n);
  });

  it("lets a settlement win that comes after the booking as unknown, whether it was summed or not", async () => {
    const place = await engine.place();
    const gone = await place.open("gone");
    await gone.ledger.append(batchOf({ intents: ["a", "b", "c"].map((id) => intentOf(id)) }));
    await gone.close();
    const { ledger } = await place.open();
    await ledger.closeOrphans(NOW);
    await ledger.append(batchOf({ settlements: [settlementOf("a")] }));
    expect(await ledger.spent({}, EVER)).toBe(500n + 900n + 900n);
    await ledger.rollUp(NOW, EVER);
    const sums = "SELECT attempts, ok, unknown, cost_pico_usd, unknown_pico_usd FROM spend_hours";
    expect(await place.rows(sums)).toEqual([
      { attempts: 3n, ok: 1n, unknown: 2n, cost_pico_usd: 500n, unknown_pico_usd: 1_800n },
    ]);
    const late = batchOf({ settlements: [settlementOf("a"), settlementOf("b", { actualPicoUsd: 3n })] });
    await ledger.append(late);
    await ledger.append(late);
    expect(await ledger.spent({}, EVER)).toBe(500n + 3n + 900n);
    await ledger.rollUp(NOW, NOW);
    expect(await ledger.spent({}, EVER)).toBe(500n + 3n + 900n);
    expect(await place.rows(sums)).toEqual([
      { attempts: 3n, ok: 2n, unknown: 1n, cost_pico_usd: 503n, unknown_pico_usd: 900n },
    ]);
    expect(await place.rows("SELECT call_id FROM attempts")).toEqual([]);
  });

  it("keeps a catalog by its version, and tells when another bears the same", async () => {
    const place = await engine.place();
    const { ledger } = await place.open();
    expect(await ledger.keepCatalog("1", '{"a": 1}', NOW)).toBe(true);
    expect(await ledger.keepCatalog("1", '{"a": 1}', NOW + 1)).toBe(true);
    expect(await ledger.keepCatalog("1", '{"a": 2}', NOW + 2)).toBe(false);
    expect(await ledger.keepCatalog("2", '{"a": 2}', NOW + 3)).toBe(true);
    expect(
      await place.rows("SELECT version, json, loaded_at_ms FROM price_catalogs ORDER BY version"),
    ).toEqual([
      { version: "1", json: '{"a": 1}', loaded_at_ms: BigInt(NOW) },
      { version: "2", json: '{"a": 2}', loaded_at_ms: BigInt(NOW + 3) },
    ]);
  });

  it("writes and reads at once", async () => {
    const { ledger } = await (await engine.place()).open();
    const write = async (lane: number) => {
      for (let index = 0; index < 20; index++) {
        const id = `${lane}-${index}`;
        await ledger.append(batchOf({ intents: [intentOf(id)] }));
        await ledger.append(batchOf({ settlements: [settlementOf(id)], calls: [callRowOf(id)] }));
      }
    };
    const read = async () => {
      // What is settled costs less than what is reserved: only a row that is missing for a moment would show.
      let least = 0n;
      for (let times = 0; times < 20; times++) {
        const spent = await ledger.spent({}, EVER);
        expect(spent >= least).toBe(true);
        least = (spent * 5n) / 9n;
        await ledger.rollUp(NOW, NOW);
      }
    };
    await Promise.all([write(1), write(2), write(3), write(4), read()]);
    expect(await ledger.spent({}, EVER)).toBe(80n * 500n);
  });

  it("has all of it after a restart, and takes nothing once it is closed", async () => {
    const place = await engine.place();
    const first = await place.open("first");
    const batch = batchOf({
      intents: [intentOf("a")],
      settlements: [settlementOf("a")],
      calls: [callRowOf("a")],
    });
    const written = first.ledger.append(batch);
    await first.close();
    await written;
    await expect(first.ledger.append(batch)).rejects.toThrow();
    const before = await everything(place);
    const second = await place.open("second");
    expect(await second.ledger.spent({}, EVER)).toBe(500n);
    expect(await everything(place)).toEqual(before);
  });
});

function everything(place: { rows(sql: string): Promise<unknown[]> }): Promise<unknown[][]> {
  return Promise.all([
    place.rows("SELECT * FROM attempts ORDER BY call_id, number"),
    place.rows("SELECT * FROM calls ORDER BY call_id"),
  ]);
}
