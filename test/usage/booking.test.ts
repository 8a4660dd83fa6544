/** A past that is corrected through a gateway: over HTTP and on the command line, by operators only, and told apart. */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { start } from "../support/command.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { temporaryFolder } from "../support/stores.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BUNDLED = readFileSync(join(import.meta.dirname, "../../docs/price-catalog.json"), "utf8");
const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const KEYS = [
  { name: "team", sha256: sha256("caller") },
  { name: "operator", sha256: sha256("operator"), scopes: ["admin"] },
];

/** As of the bundled one, with what gpt-4o writes at so many times its price. */
function corrected(version: string, times: number): string {
  const catalog = JSON.parse(BUNDLED);
  const mend = catalog.providers.openai["gpt-4o"];
  const latest = Array.isArray(mend) ? mend.at(-1) : mend;
  latest.output_per_1k_tokens *= times;
  return JSON.stringify({ ...catalog, version });
}

describe("a gateway", () => {
  let both: GatewayUnderTest;
  /** Calls are made amid the hour before this one, which is over by the time the tests run. */
  let behindMs = (Date.now() % HOUR) + HOUR / 2;
  const clock = { ...systemClock, now: () => Date.now() - behindMs };
  const since = new Date(Math.floor(clock.now() / DAY) * DAY);
  const until = new Date(Math.floor(Date.now() / HOUR) * HOUR);
  /** What gpt-4o wrote, as the receipts have it: what the correction comes to. */
  const written: Record<string, bigint> = {};

  const ask = async (method: string, path: string, body?: object, key = "operator") => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
    const reply = await fetch(`${both.url}/v1/gateway${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: reply.status, json: JSON.parse(await reply.text()) };
  };
  const book = (fields: object = {}, key = "operator") =>
    ask(
      "POST",
      "/usage/adjustments",
      { since: since.toISOString(), until: until.toISOString(), reason: "a wrong list", ...fields },
      key,
    );
  const run = (...args: string[]) => start(...args, "--url", both.url, "--key", "operator").end();

  beforeAll(async () => {
    both = await startBoth({ auth: { keys: KEYS } }, { clock });
    for (const [model, team] of [
      ["gpt-4o", "search"],
      ["gpt-4o", "mail"],
      ["gpt-4o", "mail"],
      ["gpt-4o-mini", "mail"],
    ] as const) {
      const messages = [{ role: "user", content: "Hello" }];
      const { json } = await ask(
        "POST",
        "/chat",
        { model: `openai/${model}`, messages, metadata: { team } },
        "caller",
      );
      for (const { kind, pico_usd } of json.attempts[0].line_items)
        if (model === "gpt-4o" && kind === "output") written[team] = (written[team] ?? 0n) + BigInt(pico_usd);
    }
    behindMs = 0;
  });
  afterAll(() => both[Symbol.asyncDispose]());

  it("refuses whoever is no operator, hours that go on, no reason and a catalog that is wrong", async () => {
    expect((await book({}, "caller")).status).toBe(403);
    expect((await ask("GET", "/usage/adjustments", undefined, "caller")).status).toBe(403);
    const open = await book({ until: new Date(Date.now() + HOUR).toISOString() });
    expect(open.status).toBe(400);
    expect(open.json.message).toMatch(/^until: must not be after \S+, where the hour begins that goes on/);
    const begun = await book({ since: new Date().toISOString(), until: undefined });
    expect(begun.json.message).toMatch(/^since: must be before \S+, where the hour begins that goes on/);
    for (const reason of ["", "  ", "two\nlines", "\u009b31m", "x".repeat(501)]) {
      const { status, json } = await book({ reason });
      expect(status).toBe(400);
      expect(JSON.stringify(json)).toContain("reason");
    }
    expect((await book({ since: undefined })).json.message).toMatch(/since/);
    expect((await book({ catalog: '{"version":""}' })).json.message).toMatch(/catalog/);
    expect((await ask("GET", "/usage/adjustments")).json).toEqual({ adjustments: [], next_page_token: "" });
  });

  it("books over HTTP what a corrected catalog makes of it, once, and tells it beside the cost", async () => {
    const catalog = corrected("corrected-1", 2);
    const all = (written.search ?? 0n) + (written.mail ?? 0n);
    expect(all).toBeGreaterThan(0n);
    const period = { since: since.toISOString(), until: until.toISOString() };
    const shown = (await ask("POST", "/usage/reprice", { ...period, catalog })).json;
    expect(shown).toMatchObject({ total: { difference_pico_usd: String(all) }, adjustment_pico_usd: "0" });
    const usage = async (query = "") =>
      (await ask("GET", `/usage?since=${period.since}&until=${period.until}${query}`)).json;
    const { total: before } = await usage();

    const first = await book({ catalog });
    expect(first.status).toBe(200);
    expect(first.json).toMatchObject({
      adjustments: [
        {
          provider: "openai",
          model: "gpt-4o",
          price_version: "corrected-1",
          booked_by: "operator",
          reason: "a wrong list",
        },
      ],
      adjustment_pico_usd: String(all),
      standing_pico_usd: String(all),
      price_version: "corrected-1",
    });
    expect((await book({ catalog })).json).toMatchObject({
      adjustments: [],
      adjustment_pico_usd: "0",
      standing_pico_usd: String(all),
    });

    const { rows, total } = await usage("&group_by=tag:team&group_by=key&order_by=adjusted");
    const cost = BigInt(before.cost_pico_usd);
    expect(total).toMatchObject({
      cost_pico_usd: before.cost_pico_usd,
      adjustment_pico_usd: String(all),
      adjusted_pico_usd: String(cost + all),
      adjusted_usd: Number(cost + all) / 1e12,
    });
    const told = rows.map((row: Record<string, never>) => [row.group, row.adjustment_pico_usd]);
    expect(told).toEqual([
      [{ "tag:team": "mail", key: "team" }, String(written.mail)],
      [{ "tag:team": "search", key: "team" }, String(written.search)],
    ]);
    expect((await ask("POST", "/usage/reprice", { ...period, catalog })).json).toMatchObject({
      total: { difference_pico_usd: String(all) },
      adjustment_pico_usd: String(all),
    });
    const taken = await book({ catalog: corrected("corrected-1", 5) });
    expect(taken.json.message).toMatch(/other prices were kept under version corrected-1 before/);
  });

  it("books and lists on the command line, and shows it in the tables", async () => {
    const path = join(temporaryFolder(), "corrected.json");
    writeFileSync(path, corrected("corrected-2", 0.5));
    const reprice = (...args: string[]) =>
      run("prices", "reprice", "--catalog", path, "--since", since.toISOString(), ...args);
    expect(await reprice("--reason", "why")).toMatchObject({ status: 1, stderr: "--reason is for --book\n" });
    expect(await reprice("--book")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("--book takes --reason"),
    });
    const { stdout, stderr, status } = await reprice("--book", "--reason", "=half, as agreed");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /, by prices corrected-2\n\nDAY +MODEL +BOOKED NOW +PRICED BEFORE BY\n\S+ +openai\/gpt-4o +-\$0\.\d+ +\S+\ntotal +-\$0\.\d+\nwith those before +-\$0\.\d+\n/,
    );
    expect((await reprice("--book", "--reason", "again")).stdout).toMatch(
      /corrected-2: nothing to book, with -\$0\.\d+ that is booked already\n/,
    );
    expect((await reprice("--until", until.toISOString())).stdout).toMatch(
      /\nAdjustments of -\$0\.\d+ are booked of this time/,
    );

    const table = (await run("prices", "adjustments")).stdout;
    expect(table).toMatch(
      /^DAY +MODEL +ADJUSTMENT +FROM +TO +BOOKED +BY +REASON\n\S+ +openai\/gpt-4o +-\$0\.\d+ +\S+ +corrected-2 +\S+ +operator +=half, as agreed\n/,
    );
    const listed = JSON.parse((await run("prices", "adjustments", "--model", "gpt-4o", "--json")).stdout);
    const versions = listed.adjustments.map(({ price_version }: { price_version: string }) => price_version);
    expect(versions).toEqual(["corrected-2", "corrected-1"]);
    expect((await run("prices", "adjustments", "--csv")).stdout).toMatch(
      /^day,provider,model,adjustment_usd,[\s\S]*"'=half, as agreed"/,
    );
    const half = -((written.search ?? 0n) + (written.mail ?? 0n)) / 2n;
    const sum = listed.adjustments.reduce(
      (total: bigint, one: { adjustment_pico_usd: string }) => total + BigInt(one.adjustment_pico_usd),
      0n,
    );
    expect(sum).toBe(half);

    const { stdout: usage } = await run("usage", "--by", "model", "--since", since.toISOString());
    expect(usage).toMatch(/\nMODEL +COST +ADJUSTMENT +TOGETHER +REQUESTS /);
    expect(usage).toMatch(/\ngpt-4o +\$0\.\d+ +-\$0\.\d+ +\$0\.\d+ +3 /);
    expect(usage).toMatch(
      /\nCOST is what was booked at the time; ADJUSTMENT is not in it, TOGETHER has both\.\n$/,
    );
    const csv = (await run("usage", "--by", "model", "--since", since.toISOString(), "--csv")).stdout;
    expect(csv).toMatch(/,adjustment_usd,adjustment_pico_usd,adjusted_usd,adjusted_pico_usd\n/);
    expect(csv).toContain(`,${half},`);
  });

  it("pages its list", async () => {
    const { adjustments, next_page_token } = (await ask("GET", "/usage/adjustments?page_size=1")).json;
    expect(adjustments).toMatchObject([{ price_version: "corrected-2" }]);
    const rest = (await ask("GET", `/usage/adjustments?page_size=1&page_token=${next_page_token}`)).json;
    expect(rest).toMatchObject({ adjustments: [{ price_version: "corrected-1" }], next_page_token: "" });
    const none = (
      await ask("GET", `/usage/adjustments?since=${new Date(until.getTime() + DAY).toISOString()}`)
    ).json;
    expect(none.adjustments).toEqual([]);
  });

  it("is compared with a bill as it is adjusted, and says so", async () => {
    const period = { since: since.toISOString(), until: new Date(since.getTime() + 2 * DAY).toISOString() };
    const query = `/usage?since=${period.since}&until=${period.until}&group_by=model&group_by=day`;
    const { rows } = (await ask("GET", query)).json;
    const lines = rows.map(
      (row: { group: Record<string, string>; adjusted_pico_usd: string }) =>
        `${row.group.day},${row.group.model},0,0,${(Number(row.adjusted_pico_usd) / 1e12).toFixed(12)}`,
    );
    const file = join(temporaryFolder(), "bill.csv");
    writeFileSync(file, ["date,model,input_tokens,output_tokens,cost_usd", ...lines].join("\n"));
    const names = ["--provider", "mistral", "--as", "openai", "--file", file];
    const { stdout } = await run("reconcile", ...names, "--since", period.since, "--until", period.until);
    expect(stdout).toMatch(/The ledger's cost is what was booked and adjustments of -\$0\.\d+\.\n/);
    expect(stdout).not.toContain("cost_usd");
    const json = JSON.parse(
      (await run("reconcile", ...names, "--since", period.since, "--until", period.until, "--json")).stdout,
    );
    expect(BigInt(json.adjustment_pico_usd)).toBe(-((written.search ?? 0n) + (written.mail ?? 0n)) / 2n);
    expect(
      json.differences.every(({ days }: { days: { off: string[] }[] }) =>
        days.every(({ off }) => !off.includes("cost_pico_usd")),
      ),
    ).toBe(true);
  });
});
