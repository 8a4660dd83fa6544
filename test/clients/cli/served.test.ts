/** The commands of jobs, batches and webhooks against a gateway that runs, is killed, and runs again. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startEmulator } from "../../../src/emulator/server.ts";
import { start } from "../../support/command.ts";
import { startBoth } from "../../support/gateway.ts";
import { LastingGateway } from "../../support/home.ts";
import { CALLS_HERE, startReceiver } from "../../support/receiver.ts";

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

async function printed(url: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await start(...args, "--url", url).end();
  expect(status, stderr).toBe(0);
  return stdout;
}

test("jobs are submitted, waited for, and asked for their answers", async () => {
  // So long that whoever waits for it sees it run.
  await using both = await startBoth({}, { emulator: { firstTokenMs: 2_000 } });
  const waited = await start("jobs", "submit", "Hello", "--wait", "--url", both.url).end();
  expect(waited.stderr).toMatch(/(pending|running)\n(.*\n)*completed\nopenai\/gpt-4o · .* \(measured\)/);
  const [id = "", answer = ""] = waited.stdout.trimEnd().split("\n");
  expect(id).toMatch(ID);
  expect(answer).toMatch(/^This is the answer to "Hello"\./);
  expect(await printed(both.url, "jobs", "result", id)).toBe(`${answer}\n`);
  expect(await printed(both.url, "jobs", "get", id)).toMatch(/\nstatus +completed\n/);
  expect(await printed(both.url, "jobs", "list")).toContain(id);
});

test("a job that was cancelled before it began has cost nothing, whatever was to be expected", async () => {
  await using both = await startBoth();
  const later = ["--run-at", "2099-01-01T00:00:00Z", "--quiet"];
  const id = (await printed(both.url, "jobs", "submit", "Hello", "--model", "openai", ...later)).trim();
  expect(await printed(both.url, "jobs", "get", id)).toMatch(/\ncost +about \$0\.000\d+\n/);
  expect(await printed(both.url, "jobs", "cancel", id)).toMatch(/\ncost +\$0\.00\n/);
  expect(await printed(both.url, "jobs", "list")).toMatch(/cancelled .* \$0\.00\n$/);
});

test("a webhook is shown with each try, and delivered once more", async () => {
  let status = 410;
  await using receiver = await startReceiver((_, response) => void response.writeHead(status).end());
  await using both = await startBoth(CALLS_HERE.given, CALLS_HERE.surroundings);
  const callback = ["--callback-url", `http://127.0.0.1:${receiver.port}/hook`];
  const id = (await printed(both.url, "jobs", "submit", "Hello", "--quiet", ...callback)).trim();
  const shown = () => printed(both.url, "webhooks", "get", id);
  await expect.poll(shown, { timeout: 15_000 }).toMatch(/\nstatus +failed\n/);
  expect(await shown()).toMatch(/\nTRY .*\n1 .* 410 /);
  status = 204;
  await printed(both.url, "webhooks", "redeliver", id);
  await expect.poll(shown, { timeout: 15_000 }).toMatch(/\nstatus +delivered\n/);
  expect(await printed(both.url, "webhooks", "list", "--status", "delivered")).toContain(id);
  expect(receiver.received.map(({ headers }) => headers["webhook-id"])).toEqual([id, id]);
});

test("a batch is answered once, whatever is killed meanwhile", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-served-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [input, output] = [join(folder, "in.jsonl"), join(folder, "out.jsonl")];
  const marks = Array.from({ length: 40 }, (_, index) => `q${index}`);
  const lines = marks.map((mark) => {
    const messages = [{ role: "user", content: `[[emulate: mark=${mark}]] Hello` }];
    return JSON.stringify({ custom_id: mark, body: { model: "gpt-4o-mini", messages } });
  });
  writeFileSync(input, lines.join("\n"));
  const answered = () =>
    existsSync(output)
      ? readFileSync(output, "utf8")
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line))
      : [];

  const emulator = await startEmulator({ paceMs: 15 });
  onTestFinished(() => emulator.close());
  const atOnce = 4;
  await using server = await LastingGateway.start(emulator.url, { JOB_MAX_CONCURRENT: String(atOnce) });
  const run = () => start("batch", "run", input, "-o", output, "--url", server.url);
  const first = run();
  await expect.poll(() => answered().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2 * atOnce);
  await expect.poll(() => emulator.meter.totals().open, { interval: 5 }).toBe(atOnce);
  await server.kill();
  first.child.kill("SIGKILL");
  await first.end();
  const before = answered().map(({ custom_id }) => custom_id);
  expect(before.length).toBeLessThan(marks.length);

  await server.startAgain();
  const { status, stderr } = await run().end();
  expect(stderr).toMatch(/\n40 answered, 0 failed, at least \$0\.0\d+ \(the cost of [1-4] is not known\)\n/);
  expect(status).toBe(0);
  expect(
    answered()
      .map(({ custom_id }) => custom_id)
      .sort(),
  ).toEqual(marks.toSorted());
  const askedFor = Map.groupBy(emulator.meter.requests, ({ mark = "" }) => mark);
  // What was answered before the gateway was killed was not asked again, and of the rest only what it was about.
  expect(before.filter((mark) => askedFor.get(mark)?.length !== 1)).toEqual([]);
  const twice = marks.filter((mark) => askedFor.get(mark)?.length !== 1);
  expect(twice.length).toBeLessThanOrEqual(atOnce);

  const [asked, written] = [emulator.meter.requests.length, readFileSync(output, "utf8")];
  expect((await run().end()).status).toBe(0);
  expect(emulator.meter.requests.length).toBe(asked);
  expect(readFileSync(output, "utf8")).toBe(written);
});
