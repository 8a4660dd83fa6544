/** `llmgateway webhooks`, and a batch by its id: what they print. */
import { expect, it } from "vitest";
import { start } from "../../support/command.ts";
import { JobServer } from "../../support/job-server.ts";

const ID = "0191f2a0-0000-7000-8000-000000000000";

async function printed(server: JobServer, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await start(...args, "--url", server.url).end();
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

it("lists webhooks, shows every try of one, and has it delivered once more", async () => {
  await using server = await JobServer.start();
  const list = await printed(server, "webhooks", "list", "--status", "failed");
  expect(list).toMatch(
    /^WEBHOOK +OF +STATUS +TRIES +SINCE +URL\n\S+ +job +failed +2 +https:\/\/example\.com\/hook\n$/,
  );
  const one = await printed(server, "webhooks", "get", ID);
  expect(one).toMatch(/^webhook +\S+\nof +job\nstatus +pending\n/);
  expect(one).toMatch(
    /\nTRY +AT +STATUS +TOOK +ERROR\n2 +- +15000 ms +it did not answer in time\n1 +500 +7 ms +it ans/,
  );
  expect(await printed(server, "webhooks", "redeliver", ID)).not.toContain("TRY");
  expect(JSON.parse(await printed(server, "webhooks", "get", ID, "--json")).deliveries).toHaveLength(2);
});

it("tells how far a batch is, and cancels it", async () => {
  await using server = await JobServer.start();
  const running = await printed(server, "batch", "status", ID);
  expect(running).toMatch(/^batch +\S+\nstatus +running\njobs +3: 1 pending, 2 completed\ncost +\$0\.50\n/);
  const cancelled = JSON.parse(await printed(server, "batch", "cancel", ID, "--json"));
  expect(cancelled).toMatchObject({ status: "cancelled", cancelled: 1 });
});
