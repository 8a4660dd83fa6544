/** `llmgateway cache` against a gateway: what it prints, and what it does. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { start } from "../../support/command.ts";
import { startBoth } from "../../support/gateway.ts";

const CACHE = { cache: { enabled: true, remember_requests: 10 } };

function filed(...lines: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-warm-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "requests.jsonl");
  writeFileSync(file, lines.join("\n"));
  return file;
}

const line = (content: string, more: object = {}) =>
  JSON.stringify({ messages: [{ role: "user", content }], model: "openai/gpt-4o", ...more });

it("warms from a file, tells what is kept and saved, and clears", async () => {
  await using both = await startBoth(CACHE);
  const run = (...args: string[]) => start("cache", ...args, "--url", both.url).end();
  const file = filed(line("One"), "", line("Two", { metadata: { team: "search" } }));
  const warmed = await run("warm", "--file", file, "--max-cost", "1.00", "--concurrency", "1");
  expect(warmed).toMatchObject({ status: 0, stderr: "" });
  expect(warmed.stdout).toMatch(
    /^\[1\/2\] 0 kept openai\/gpt-4o \$0\.000\d+ \(\$0\.000\d+ in all\)\n\[2\/2\] 1 kept .*\n2 requests: 2 kept, 0 known; \$0\.000\d+ spent\n$/,
  );
  const again = await run("warm", "--file", file, "--json");
  const events = again.stdout
    .trimEnd()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(events).toMatchObject([
    { request: { outcome: "hit" } },
    { request: { outcome: "hit" } },
    { done: true, totals: { hits: 2, cost_usd: 0 } },
  ]);

  const chat = (...args: string[]) =>
    start("chat", "One", "-m", "openai/gpt-4o", ...args, "--url", both.url).end();
  const hit = await chat();
  expect(hit.stderr).toMatch(/^openai\/gpt-4o · cached \(exact\) · saved \$0\.000\d+ · request /);
  const stats = await run();
  expect(stats.stdout).toMatch(
    /^cache +on\nentries +2 of 10000\nsize +\d.*MiB of 256\.00 MiB\nremembered +1 requests\n/,
  );
  expect(stats.stdout).toMatch(/\nhits +1 of 1 \(100\.0 %\)\n/);
  expect(stats.stdout).toMatch(/\nKIND +HITS +SAVED\nexact +1 +\$0\.000\d+\n/);
  expect(stats.stdout).toMatch(/\nMODEL .*\nopenai\/gpt-4o +2 +\d.* MiB +1 +0 +100\.0 % +\$0\.000\d+\n$/);
  expect(JSON.parse((await run("stats", "--json")).stdout)).toMatchObject({ entries: 2, hits: "1" });

  expect((await run("clear", "--tag", "team=search")).stdout).toBe("1 answers cleared\n");
  expect((await run("clear", "--all", "--forget-requests")).stdout).toBe(
    "1 answers cleared; 1 requests forgotten\n",
  );
  expect((await chat("--cache", "only")).stderr).toContain("not_cached");
});

it("says by its status that a request failed", async () => {
  await using both = await startBoth(CACHE);
  const file = filed(line("[[emulate: status=500]] Hello"), line("Mine", { sensitive: true }));
  const { status, stdout } = await start(
    "cache",
    "warm",
    "--file",
    file,
    "--concurrency",
    "1",
    "--url",
    both.url,
  ).end();
  expect(status).toBe(1);
  expect(stdout).toContain("0 failed openai/gpt-4o");
  expect(stdout).toMatch(/1 skipped: the request is sensitive/);
  expect(stdout).toMatch(/\n2 requests: 0 kept, 0 known, 1 skipped, 1 failed; \$0\.00 spent\n$/);
});

it("sends with a chat what the cache may do", async () => {
  await using both = await startBoth(CACHE);
  const chat = async (...args: string[]) => {
    const { stdout } = await start("chat", "Hello", "--json", ...args, "--url", both.url).end();
    return JSON.parse(stdout).cache.outcome;
  };
  expect(await chat("--sensitive")).toBe("skipped");
  expect(await chat("--cache", "bypass")).toBe("skipped");
  expect(await chat("--cache-ttl", "60s")).toBe("miss");
  expect(await chat("--cache", "use")).toBe("hit");
  expect(await chat("--cache", "refresh")).toBe("miss");
  expect(both.emulator.meter.requests).toHaveLength(4);
});

it.each([
  [["clear"], /all: must be true to let go of every answer/],
  [["clear", "--tag", "team"], /It must be a name and a value/],
  [["warm"], /give the requests by --file, or --most-frequent, or both/],
  [["warm", "--file", "/nowhere/at-all"], /\/nowhere\/at-all: ENOENT/],
  [["warm", "--most-frequent", "0"], /It must be a whole number from 1/],
])("%j is refused, and says what is wrong", async (args, message) => {
  await using both = await startBoth(CACHE);
  const { status, stderr } = await start("cache", ...args, "--url", both.url).end();
  expect(status).toBe(1);
  expect(stderr).toMatch(message);
});

it("names the line that is wrong", async () => {
  const file = filed(line("One"), '{"messagez": []}');
  const { status, stderr } = await start("cache", "warm", "--file", file).end();
  expect(status).toBe(1);
  expect(stderr).toMatch(/requests\.jsonl:2: .*messagez/);
});
