/** `llmgateway usage` and `llmgateway requests` against a gateway: what they print. */
import { expect, it } from "vitest";
import { start } from "../../support/command.ts";
import { startBoth } from "../../support/gateway.ts";

interface ChatReply {
  readonly request_id: string;
  readonly cost: { readonly actual_pico_usd: string };
}

const chat = (url: string, model: string, team: string, content = "Hello") =>
  fetch(`${url}/v1/gateway/chat`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, metadata: { team }, messages: [{ role: "user", content }] }),
  }).then((reply) => reply.json() as Promise<ChatReply>);

it("tells what was spent as a table, as JSON and as CSV", async () => {
  await using both = await startBoth();
  await chat(both.url, "openai/gpt-4o", "search");
  await chat(both.url, "openai/gpt-4o", "=1+1, mail");
  const { cost } = await chat(both.url, "openai/gpt-4o-mini", "search");
  const run = (...args: string[]) => start("usage", ...args, "--url", both.url).end();
  const { stdout, stderr, status } = await run("--since", "7d", "--by", "model,tag:team");
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(
    /^\d{4}-\d\d-\d\dT\d\d:00:00.000Z to \S+\n\nMODEL +TAG:TEAM +COST +REQUESTS +ERRORS /,
  );
  expect(stdout).toMatch(/\ngpt-4o +search +\$\S+ +1 +0 +0 +\$\S+ +\d+ +\d+ +\d+ ms /);
  expect(stdout).toMatch(/\ntotal +\$\S+ +3 +0 /);
  const whole = (await run()).stdout;
  expect(whole.trim().split("\n")).toHaveLength(4);
  const json = JSON.parse(
    (await run("--where", "model=gpt-4o-mini", "--where", "tag:team=search", "--json")).stdout,
  );
  expect(json).toMatchObject({ rows: [{ cost_pico_usd: cost.actual_pico_usd, requests: "1" }] });
  const [head = "", first = "", ...more] = (
    await run("--by", "tag:team", "--order-by", "group", "--csv")
  ).stdout
    .trim()
    .split("\n");
  expect(head).toMatch(/^tag:team,cost_usd,cost_pico_usd,requests,/);
  expect(first).toMatch(/^"'=1\+1, mail",[\d.e-]+,\d+,1,/);
  expect(more).toHaveLength(1);
});

it("says that nothing is booked where costs are not tracked, in place of zeros alone", async () => {
  const words = "Costs are not tracked now (prices.tracking_enabled is off)";
  for (const isOff of [true, false]) {
    await using both = await startBoth({}, { env: { COST_TRACKING_ENABLED: String(!isOff) } });
    await chat(both.url, "openai/gpt-4o", "search");
    const run = (...args: string[]) => start("usage", ...args, "--url", both.url).end();
    expect((await run()).stdout.includes(words)).toBe(isOff);
    expect(JSON.parse((await run("--json")).stdout)).toMatchObject({
      tracking_off: isOff,
      total: { requests: isOff ? "0" : "1" },
    });
  }
});

it("lists requests, and tells one with its attempts", async () => {
  await using both = await startBoth();
  const { request_id: id } = await chat(both.url, "openai/gpt-4o", "search");
  await chat(both.url, "openai/gpt-4o", "mail", "[[emulate: status=400]] Hello");
  const run = (...args: string[]) => start("requests", ...args, "--url", both.url).end();
  const listed = (await run()).stdout;
  expect(listed).toMatch(
    /^REQUEST +BEGUN +KEY +MODEL +OUTCOME +ATTEMPTS +COST\n\S+ +\S+ +anonymous +openai\/gpt-4o +failed: /,
  );
  expect(listed.trim().split("\n")).toHaveLength(3);
  const ok = JSON.parse((await run("--outcome", "ok", "--json")).stdout);
  expect(ok.requests.map(({ request_id }: { request_id: string }) => request_id)).toEqual([id]);
  const one = (await run(id)).stdout;
  expect(one).toMatch(new RegExp(`^request +${id}\n`));
  expect(one).toMatch(
    /\nATTEMPT +FOR +MODEL .*\n1 +first +openai\/gpt-4o +settled +ok +\d+ ms +\d+ +\d+ +\$/,
  );
});

it("has nothing for the terminal in what callers chose", async () => {
  await using both = await startBoth();
  const { request_id: id } = await chat(both.url, "openai/gpt-4o", "\u001b[2J\nsearch\u009b1m");
  const run = (...args: string[]) => start(...args, "--url", both.url).end();
  for (const args of [
    ["usage", "--by", "tag:team"],
    ["requests", id],
  ]) {
    const { stdout } = await run(...args);
    expect(stdout).toContain("[2J search1m");
    expect(stdout).not.toMatch(/(?!\n)\p{Cc}/u);
  }
});

it("prints what was said in a request, and deletes it", async () => {
  await using both = await startBoth({ content_capture: { enabled: true } });
  const { request_id: id } = await chat(
    both.url,
    "openai/gpt-4o",
    "search",
    "Is ann@example.com\u001b[2J there?",
  );
  const run = (...args: string[]) => start("requests", ...args, "--url", both.url).end();
  const { stdout } = await run(id, "--text");
  expect(stdout).toMatch(
    /\nATTEMPT .*\n1 .*\n\n\[user\]\nIs \[EMAIL_1\]\[2J there\?\n\n\[assistant\]\nThis is /,
  );
  expect((await run(id, "--delete-text")).stdout).toBe("the text of 1 request is deleted\n");
  expect((await run(id, "--text")).stdout).toContain("What was said in it is not kept.");
});

it.each([
  [["usage", "--by", "colour"], /It must be some of provider/],
  [["usage", "--since", "yesterday"], /It must be a span such as 7d, a day such as 2026-01-31, or a time/],
  [["usage", "--where", "colour=red"], /--where: there is no "colour"/],
  [
    ["usage", "--where", "model=a", "--where", "tag:b=c", "--where", "model=d"],
    /"model" was given before; give it once/,
  ],
  [["usage", "--where", "model="], /--where: give model a value/],
  [["requests", "none"], /there is no such request/],
  [["usage", "tips", "--csv"], /--by, --order-by and --csv are for what was spent/],
  [["usage", "anomalies", "--by", "model"], /--by, --order-by and --csv are for what was spent/],
  [["requests", "--text"], /--text is for one request: give its id/],
  [["requests", "--all"], /--all is for --delete-text/],
  [
    ["requests", "--delete-text", "--all", "--where", "tag:team=a"],
    /--where chooses what is listed, not what/,
  ],
  [["requests", "--delete-text", "--all", "--since", "1h"], /--since chooses what is listed, not what/],
  [["requests", "--delete-text"], /or --all to delete that of every one/],
])("%j is refused, and says what is wrong", async (args, message) => {
  await using both = await startBoth();
  const { status, stderr } = await start(...args, "--url", both.url).end();
  expect(status).toBe(1);
  expect(stderr).toMatch(message);
});
