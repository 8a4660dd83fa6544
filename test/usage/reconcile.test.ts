/** The ledger beside providers' exports: every planted fault is found and named, and a clean month has none. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { cellsOf, type LedgerRow } from "../../clients/cli/reconcile/compare.ts";
import type { ExportRow } from "../../clients/cli/reconcile/export.ts";
import { explain } from "../../clients/cli/reconcile/kinds.ts";
import { start } from "../support/command.ts";
import { startBoth } from "../support/gateway.ts";
import { temporaryFolder } from "../support/stores.ts";
import { DAYS, type Mutable, month } from "./month.ts";

const DAY_MS = 86_400_000;
function found(ledger: readonly LedgerRow[], exported: readonly ExportRow[], tolerance = 0.01) {
  const cells = cellsOf(ledger, exported, { days: DAYS, tolerance, aliases: new Map() });
  return explain(cells).map(({ kind, model, cells: own }) => ({
    kind,
    model,
    days: [...new Set(own.map(({ day }) => day))],
  }));
}

const scaled = (row: Mutable<ExportRow>, percent: bigint) => {
  for (const name of ["requests", "inputTokens", "cachedInputTokens", "outputTokens", "costPicoUsd"] as const)
    row[name] = ((row[name] ?? 0n) * percent) / 100n;
};

/** What is done to a clean month, and what is to be found then. */
const FAULTS: readonly {
  readonly name: string;
  plant(rows: ReturnType<typeof month>): void;
  readonly found: readonly { kind: string; model: string; days: readonly string[] }[];
}[] = [
  {
    name: "calls that were never booked",
    plant: ({ exported }) => scaled(rowOf(exported, "2026-08-12", "o3"), 110n),
    found: [{ kind: "unbooked_calls", model: "o3", days: ["2026-08-12"] }],
  },
  {
    name: "a whole day that was never booked",
    plant: ({ ledger }) => drop(ledger, ({ day, model }) => day === "2026-08-12" && model === "o3"),
    found: [{ kind: "unbooked_calls", model: "o3", days: ["2026-08-12"] }],
  },
  {
    name: "another service tier",
    plant: ({ exported }) => {
      for (const day of ["2026-08-03", "2026-08-20"]) {
        const row = rowOf(exported, day, "gpt-4o-mini");
        row.costPicoUsd = (row.costPicoUsd ?? 0n) / 2n;
      }
    },
    found: [{ kind: "wrong_tier", model: "gpt-4o-mini", days: ["2026-08-03", "2026-08-20"] }],
  },
  {
    name: "cached tokens that the provider did not count as such",
    plant: ({ exported }) => {
      const row = rowOf(exported, "2026-08-07", "gpt-4o-2024-08-06");
      row.cachedInputTokens = 0n;
      row.costPicoUsd = ((row.costPicoUsd ?? 0n) * 11n) / 10n;
    },
    found: [{ kind: "cached_tokens", model: "gpt-4o", days: ["2026-08-07"] }],
  },
  {
    name: "others who use the same account",
    plant: ({ exported }) => {
      for (const row of exported)
        if (row.model === "o3") row.inputTokens = (row.inputTokens ?? 0n) + 200_000n;
    },
    found: [{ kind: "other_callers", model: "o3", days: DAYS }],
  },
  {
    name: "others' model",
    plant: ({ exported }) => {
      const one = {
        requests: 5n,
        inputTokens: 4_000n,
        cachedInputTokens: 0n,
        outputTokens: 900n,
        costPicoUsd: 10n ** 10n,
      };
      exported.push({ day: "2026-08-09", model: "gpt-image-1", ...one });
    },
    found: [{ kind: "other_callers", model: "gpt-image-1", days: ["2026-08-09"] }],
  },
  {
    name: "a day that the export lacks",
    plant: ({ exported }) => drop(exported, ({ day }) => day === "2026-08-31"),
    found: [{ kind: "missing_export_day", model: "", days: ["2026-08-31"] }],
  },
  {
    name: "a fifth of a day that the export has on the next",
    plant: ({ exported }) => {
      const [from, to] = [rowOf(exported, "2026-08-18", "o3"), rowOf(exported, "2026-08-19", "o3")];
      for (const name of [
        "requests",
        "inputTokens",
        "cachedInputTokens",
        "outputTokens",
        "costPicoUsd",
      ] as const) {
        const part = (from[name] ?? 0n) / 5n;
        from[name] = (from[name] ?? 0n) - part;
        to[name] = (to[name] ?? 0n) + part;
      }
    },
    found: [{ kind: "time_zone_shift", model: "o3", days: ["2026-08-18", "2026-08-19"] }],
  },
  {
    name: "calls that the provider did not count",
    plant: ({ exported }) => scaled(rowOf(exported, "2026-08-26", "gpt-4o-mini"), 90n),
    found: [{ kind: "not_in_export", model: "gpt-4o-mini", days: ["2026-08-26"] }],
  },
  {
    name: "streams that broke off",
    plant: ({ ledger }) => {
      const row = rowOf(ledger, "2026-08-26", "o3");
      row.outputTokens = (row.outputTokens * 12n) / 10n;
      row.estimated = 30n;
    },
    found: [{ kind: "estimated", model: "o3", days: ["2026-08-26"] }],
  },
  {
    name: "a gateway that died",
    plant: ({ ledger }) => {
      const row = rowOf(ledger, "2026-08-05", "gpt-4o");
      row.inputTokens = (row.inputTokens * 8n) / 10n;
      row.unknown = 100n;
    },
    found: [{ kind: "unknown_usage", model: "gpt-4o", days: ["2026-08-05"] }],
  },
  {
    name: "a model that the catalog lacks",
    plant: ({ ledger }) => {
      for (const row of ledger.filter(({ model }) => model === "o3"))
        Object.assign(row, { costPicoUsd: 0n, unpriced: row.requests });
    },
    found: [{ kind: "unpriced", model: "o3", days: DAYS }],
  },
];

function rowOf<T extends { day: string; model: string }>(rows: readonly T[], day: string, model: string): T {
  const row = rows.find((one) => one.day === day && one.model === model);
  if (!row) throw new Error(`there is no ${model} on ${day}`);
  return row;
}

function drop<T>(rows: T[], isMeant: (row: T) => boolean): void {
  rows.splice(0, rows.length, ...rows.filter((row) => !isMeant(row)));
}

describe("a month", () => {
  it.each([1, 2, 3, 4, 5])("that is clean has no difference, without any tolerance (seed %i)", (seed) => {
    const { ledger, exported } = month(seed);
    expect(found(ledger, exported, 0)).toEqual([]);
  });

  it("whose differences are small has none", () => {
    const { ledger, exported } = month();
    for (const row of exported) row.costPicoUsd = ((row.costPicoUsd ?? 0n) * 1_005n) / 1_000n;
    expect(found(ledger, exported)).toEqual([]);
    expect(found(ledger, exported, 0.004).map(({ kind }) => kind)).toEqual([
      "wrong_tier",
      "wrong_tier",
      "wrong_tier",
    ]);
  });

  it.each(FAULTS)("with $name says so, and nothing else", ({ plant, found: expected }) => {
    const rows = month();
    plant(rows);
    expect(found(rows.ledger, rows.exported)).toEqual(expected);
  });

  it("with all faults that lie apart tells each of them", () => {
    const rows = month(7);
    const apart = FAULTS.filter(({ name }) => !/others who|catalog|whole day/.test(name));
    for (const { plant } of apart) plant(rows);
    const key = ({ kind, model }: { kind: string; model: string }) => `${kind} ${model}`;
    expect(found(rows.ledger, rows.exported).map(key).sort()).toEqual(
      apart.flatMap((fault) => fault.found.map(key)).sort(),
    );
  });

  it("is compared as a whole where the export tells no models apart", () => {
    const { ledger } = month();
    const costs = DAYS.map((day) => {
      const rows = ledger.filter((row) => row.day === day);
      return { day, model: "", costPicoUsd: rows.reduce((sum, row) => sum + row.costPicoUsd, 0n) };
    });
    expect(found(ledger, costs, 0)).toEqual([]);
    rowOf(costs, "2026-08-10", "").costPicoUsd *= 2n;
    expect(found(ledger, costs)).toEqual([{ kind: "unexplained", model: "", days: ["2026-08-10"] }]);
  });

  it("of which the export has nothing at all is missing in it", () => {
    expect(found(month().ledger, [])).toEqual([{ kind: "missing_export_day", model: "", days: DAYS }]);
  });

  it("whose export is rounded to cents is not blamed for that", () => {
    const { ledger, exported } = month();
    const cent = 10n ** 10n;
    const small = ledger.map((row) => ({ ...row, costPicoUsd: row.costPicoUsd / 100n }));
    for (const [at, row] of exported.entries())
      row.costPicoUsd = (((small[at]?.costPicoUsd ?? 0n) + cent / 2n) / cent) * cent;
    expect(found(small, exported)).toEqual([]);
  });
});

it("compares a gateway with what its provider metered, by the exit status too", async () => {
  await using both = await startBoth();
  for (const content of ["Hello", "How are you?", "[[emulate: status=500]] Hello", "Hello"]) {
    const body = JSON.stringify({ model: "openai/gpt-4o", messages: [{ role: "user", content }] });
    await fetch(`${both.url}/v1/gateway/chat`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
  }
  const day = new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS);
  // As OpenAI's usage is told, from what the emulator metered by itself.
  const served = both.emulator.meter.requests.filter(({ outcome }) => outcome === "served");
  const exportOf = (more: number) => {
    const total = (name: "inputTokens" | "cachedInputTokens" | "outputTokens") =>
      served.reduce((sum, record) => sum + record[name], 0);
    const counts = {
      input_tokens: total("inputTokens") + more,
      input_cached_tokens: total("cachedInputTokens"),
      output_tokens: total("outputTokens"),
    };
    const result = { model: "gpt-4o-2024-08-06", num_model_requests: served.length, ...counts };
    return JSON.stringify({ data: [{ start_time: day.getTime() / 1_000, results: [result] }] });
  };
  const file = join(temporaryFolder(), "usage.json");
  const until = new Date(day.getTime() + DAY_MS).toISOString();
  const run = (...args: string[]) =>
    start(
      "reconcile",
      "--provider",
      "openai",
      "--file",
      file,
      "--since",
      day.toISOString(),
      "--until",
      until,
      "--url",
      both.url,
      ...args,
    ).end();
  writeFileSync(file, exportOf(0));
  expect(await run("--tolerance", "0%")).toMatchObject({
    status: 0,
    stderr: "",
    stdout: expect.stringMatching(/1 days of models compared, all within 0 %\n$/),
  });
  writeFileSync(file, exportOf(1_000));
  const { stdout, status } = await run();
  expect(status).toBe(1);
  expect(stdout).toMatch(
    /^MODEL +DAYS +WHAT +LEDGER +PROVIDER +MORE +LIKELY\ngpt-4o +\S+ +input_tokens +\d+ +\d+ +1000 +unbooked_calls\n/,
  );
  expect(stdout).toMatch(
    /unbooked_calls: the export has calls that the ledger has not\n\n.*: 1 days of models compared, 1 difference beyond 1 %\n$/,
  );
  const json = JSON.parse((await run("--json")).stdout);
  expect(json.differences).toMatchObject([
    { kind: "unbooked_calls", model: "gpt-4o", days: [{ off: ["input_tokens"] }] },
  ]);
  // Where neither has anything, nothing agrees.
  expect(await run("--since", "2026-02-01", "--until", "2026-02-03")).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^nothing to compare: the export is of .* 2026-02-01 to 2026-02-02 was /),
  });
  writeFileSync(file, "nothing,of,it\n1,2,3\n");
  expect(await run()).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^usage\.json, line 2: there is no column start_time_iso or start_time/),
  });
});

it("says what it takes for granted", async () => {
  expect((await start("reconcile", "--help").end()).stdout).toMatch(
    /--tolerance <percent> .*\(default: 1%\)/,
  );
  const file = join(temporaryFolder(), "usage.json");
  writeFileSync(file, JSON.stringify({ data: [] }));
  const today = new Date().toISOString().slice(0, 10);
  const { status, stderr } = await start(
    ...["reconcile", "--provider", "openai", "--file", file, "--since", today],
  ).end();
  expect(stderr).toBe("--since must be before --until, which is the begin of today unless it is said\n");
  expect(status).toBe(1);
});
