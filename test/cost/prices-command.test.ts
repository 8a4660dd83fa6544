/** `llmgateway prices` as its users have it: child processes, files, and a server that gives the table. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { recordingsFolder } from "../recordings/recordings.ts";
import { start } from "../support/command.ts";

const CHAT = {
  litellm_provider: "openai",
  mode: "chat",
  input_cost_per_token: 2.5e-6,
  output_cost_per_token: 1e-5,
};
const GONE = { ...CHAT, input_cost_per_token: 1e-6 };
const OWN = {
  input_per_1k_tokens: 0.1,
  output_per_1k_tokens: 0.2,
  aliases: ["mine-2026-01-01"],
  source: "our contract",
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prices-"));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
function file(content: object): string {
  const path = join(folder, `${++files}.json`);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

function prices(...args: string[]) {
  return start("prices", ...args).end();
}

function read(path: string) {
  return JSON.parse(readFileSync(path, "utf8"));
}

const catalogOf = (openai: object) =>
  file({ version: "2026-01-01.7", last_updated: "2026-01-01", providers: { openai } });

/** A catalog that was imported on the first day of the year. */
async function imported(table: object): Promise<string> {
  const path = catalogOf({ mine: OWN });
  const { status } = await prices(
    "import",
    "--file",
    path,
    "--reference",
    file(table),
    "--date",
    "2026-01-01",
  );
  expect(status).toBe(0);
  return path;
}

describe("import", () => {
  it("takes over the table, keeps our own rows, and names the version by the day", async () => {
    const path = catalogOf({
      mine: OWN,
      dropped: { ...OWN, aliases: [], source: "LiteLLM, model_prices_and_context_window.json of old" },
    });
    const table = file({
      "gpt-9": CHAT,
      mine: CHAT,
      "mine-2026-01-01": CHAT,
      "gpt-image": { ...CHAT, mode: "image" },
    });
    const out = join(folder, "out.json");
    const before = readFileSync(path, "utf8");
    const first = await prices(
      "import",
      "--file",
      path,
      "--reference",
      table,
      "--out",
      out,
      "--date",
      "2026-02-03",
    );
    expect(first).toMatchObject({ status: 0 });
    expect(first.stdout).toContain("added    openai/gpt-9: input $2.5, output $10\n");
    expect(first.stdout).toContain("removed  openai/dropped: input $100, output $200\n");
    expect(first.stdout).toContain("version 2026-02-03.1");
    expect(first.stderr).toBe("left out: gpt-image: its mode is image\n");
    expect(readFileSync(path, "utf8")).toBe(before);
    const written = read(out);
    expect(written).toMatchObject({ version: "2026-02-03.1", last_updated: "2026-02-03" });
    expect(Object.keys(written.providers.openai)).toEqual(["gpt-9", "mine"]);
    expect(written.providers.openai.mine).toEqual(OWN);
    expect(existsSync(`${out}.new`)).toBe(false);

    const again = await prices("import", "--file", out, "--reference", table, "--date", "2026-02-03");
    expect(again.stdout).toBe(`${out}: version 2026-02-03.2\n`);
    expect(read(out)).toEqual({ ...written, version: "2026-02-03.2" });
  });

  it("keeps the price of before for calls of before", async () => {
    const path = await imported({ a: CHAT, b: { ...CHAT, max_output_tokens: 5 } });
    const table = file({ a: { ...CHAT, input_cost_per_token: 3e-6 }, b: { ...CHAT, max_output_tokens: 9 } });
    const { stdout } = await prices("import", "--file", path, "--reference", table, "--date", "2026-05-01");
    expect(stdout).toContain("changed  openai/a: input $2.5 → $3\n");
    expect(stdout).toContain("changed  openai/b: max_output_tokens 5 → 9\n");
    const catalog = loadCatalog(readFileSync(path, "utf8"), path);
    const at = (time: string) => catalog.find("openai", "a", "", Date.parse(time))?.inputPicoPerToken;
    expect(at("2026-04-30T23:59:59Z")).toBe(2_500_000n);
    expect(at("2026-05-01T00:00:00Z")).toBe(3_000_000n);
    expect(read(path).providers.openai.b).toMatchObject({ max_output_tokens: 9 });
    expect((await prices("check", "--file", path, "--reference", table, "--date", "2026-05-01")).status).toBe(
      0,
    );

    const later = file({ a: { ...CHAT, input_cost_per_token: 4e-6 }, b: CHAT });
    await prices("import", "--file", path, "--reference", later, "--date", "2026-05-01");
    const rows = read(path).providers.openai.a;
    expect(
      rows.map((row: typeof OWN & { effective_from?: string }) => [
        row.input_per_1k_tokens,
        row.effective_from,
      ]),
    ).toEqual([
      [0.0025, undefined],
      [0.004, "2026-05-01"],
    ]);
  });
});

it("import makes a model of a name whose price is another by now", async () => {
  const path = await imported({ a: CHAT, "a-2026-01-01": CHAT, "a-2026-02-02": CHAT });
  const dearer = { ...CHAT, output_cost_per_token: 3e-5 };
  const table = file({ a: dearer, "a-2026-01-01": CHAT, "a-2026-02-02": dearer });
  const { status } = await prices("import", "--file", path, "--reference", table, "--date", "2026-05-01");
  expect(status).toBe(0);
  const catalog = loadCatalog(readFileSync(path, "utf8"), path);
  const output = (model: string) => catalog.find("openai", model)?.outputPicoPerToken;
  expect(output("a")).toBe(30_000_000n);
  expect(output("a-2026-01-01")).toBe(10_000_000n);
  expect(catalog.find("openai", "a-2026-02-02")).toBe(catalog.find("openai", "a"));
});

describe("diff", () => {
  it("shows what was added, removed and changed, in dollars for a million tokens", async () => {
    const path = await imported({ a: CHAT, b: GONE });
    const before = readFileSync(path, "utf8");
    const tiers = {
      input_cost_per_token_flex: 1e-6,
      output_cost_per_token_flex: 4e-6,
      input_cost_per_token_above_200k_tokens: 5e-6,
      output_cost_per_token_above_200k_tokens: 2e-5,
    };
    const table = file({ a: { ...CHAT, ...tiers }, c: CHAT });
    const { status, stdout } = await prices("diff", "--file", path, "--reference", table);
    expect(stdout.split("\n")).toEqual([
      "changed  openai/a: context_tiers.above 200000.input none → $5, context_tiers.above 200000.output none → $20, " +
        "service_tiers.flex.input none → $1, service_tiers.flex.output none → $4",
      "added    openai/c: input $2.5, output $10",
      "removed  openai/b: input $1, output $10",
      "1 added, 1 removed, 1 changed; prices in US dollars for a million tokens",
      "",
    ]);
    expect(status).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(before);
  });

  it("loads the table by its URL, and says why it cannot", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/table.json") response.end(JSON.stringify({ mine: CHAT }));
      else response.writeHead(404).end("nothing here");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const found = await prices(
        "diff",
        "--file",
        catalogOf({ mine: OWN }),
        "--reference",
        `${url}/table.json`,
      );
      expect(found).toMatchObject({
        status: 0,
        stdout: expect.stringContaining("0 added, 0 removed, 0 changed"),
      });
      const lost = await prices("diff", "--file", catalogOf({ mine: OWN }), "--reference", `${url}/lost`);
      expect(lost).toEqual({
        status: 1,
        stdout: "",
        stderr: `error: LiteLLM's table cannot be loaded from ${url}/lost: HTTP 404; give --reference a file\n`,
      });
    } finally {
      server.close();
    }
  });
});

describe("check", () => {
  it("lists rows without a source and rows that differ, and a catalog that nobody looked at for 90 days", async () => {
    const path = await imported({ a: CHAT, b: GONE });
    const catalog = read(path);
    catalog.providers.openai.plain = { input_per_1k_tokens: 1, output_per_1k_tokens: 1 };
    writeFileSync(path, JSON.stringify(catalog));
    const table = file({ a: { ...CHAT, output_cost_per_token: 2e-5 }, mine: CHAT });
    const { status, stdout } = await prices(
      "check",
      "--file",
      path,
      "--reference",
      table,
      "--date",
      "2026-04-02",
    );
    expect(stdout.split("\n")).toEqual([
      "source   openai/plain: does not say where it was read",
      "age      last updated on 2026-01-01, 91 days ago; after 90 prices need another look",
      "changed  openai/a: output $10 → $20",
      "removed  openai/b: input $1, output $10",
      `${path}: version 2026-01-01.8, 4 models, 4 problems`,
      "",
    ]);
    expect(status).toBe(1);
    expect(
      (await prices("check", "--file", await imported({ a: CHAT }), "--date", "2026-04-01")).status,
    ).toBe(0);
  });

  it("says what is wrong with a catalog, a table and an option", async () => {
    const wrong = await prices("check", "--file", catalogOf({ m: { input_per_1k_tokens: -1 } }));
    expect(wrong.stderr).toContain("providers.openai.m.input_per_1k_tokens: ");
    const lost = await prices("check", "--file", join(folder, "lost.json"));
    expect(lost.stderr).toMatch(/^error: the catalog cannot be read: ENOENT/);
    const reference = (path: string) =>
      prices("import", "--file", catalogOf({ mine: OWN }), "--reference", path);
    const foreign = await reference(file({ error: { message: "rate limited" } }));
    expect(foreign.stderr).toContain("has no row of a provider that the gateway knows");
    const broken = await reference(folder);
    expect(broken.stderr).toMatch(/^error: LiteLLM's table cannot be read: /);
    const price = await reference(file({ a: { ...CHAT, input_cost_per_token: "cheap" } }));
    expect(price.stderr).toContain("cannot be understood: ");
    const closed = await prices(
      "import",
      ...[
        "--file",
        catalogOf({ mine: OWN }),
        "--reference",
        file({ a: CHAT }),
        "--out",
        join(folder, "no", "where"),
      ],
    );
    expect(closed.stderr).toMatch(/^error: the catalog cannot be written: ENOENT/);
    const day = await prices("check", "--date", "2026-02-30");
    expect(day.stderr).toContain("It must be a day, such as 2026-01-31.");
    for (const { status } of [wrong, lost, foreign, broken, price, closed, day]) expect(status).toBe(1);
  });

  const recordings = recordingsFolder();
  const table = recordings && join(recordings, "..", "..", "reference", "model-prices.json");
  if (!table || !existsSync(table))
    it("docs/price-catalog.json equals the reference", () => {
      console.log("no reference prices were found beside the recordings, and so the catalog is not compared");
      expect(process.env.CI, "CI must compare the catalog with the reference").not.toBe("true");
    });
  else
    it("docs/price-catalog.json equals the reference, but for rows with a source of their own", async () => {
      const { last_updated } = read(join(import.meta.dirname, "../../docs/price-catalog.json"));
      const { status, stdout } = await prices("check", "--reference", table, "--date", last_updated);
      expect(stdout).toMatch(/^\S+: version \S+, \d{3} models, 0 problems\n$/);
      expect(status).toBe(0);
    });
});
