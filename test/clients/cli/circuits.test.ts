/** `llmgateway circuits` against a gateway: what it prints, and what it does. */
import { expect, it } from "vitest";
import { start } from "../../support/command.ts";
import { startBoth } from "../../support/gateway.ts";

it("lists the circuits, and sets one of a provider or of a model", async () => {
  await using both = await startBoth();
  const run = (...args: string[]) => start("circuits", ...args, "--url", both.url).end();
  const listed = await run();
  expect(listed.stdout).toMatch(/^CIRCUIT +STATE +MODE +ATTEMPTS +FAILED +TOO SLOW +SINCE +NEXT PROBE\n/);
  expect(listed.stdout).toMatch(/\nopenai +closed +automatic +0 +0 +0\n/);
  expect(await run("open", "openai/gpt-4o")).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/\nopenai\/gpt-4o +open +open +0 +0 +0\n$/),
  });
  const closed = JSON.parse((await run("close", "openai", "--json")).stdout);
  expect(closed).toMatchObject({ provider: "openai", model: "", state: "closed", mode: "closed" });
  const { circuits } = JSON.parse((await run("--json")).stdout);
  expect(circuits).toContainEqual(expect.objectContaining({ model: "gpt-4o", mode: "open" }));
  await run("auto", "openai/gpt-4o");
  expect((await run()).stdout).not.toContain("gpt-4o");
});

it.each([
  [["open", "nobody"], /there is no provider "nobody"; there are .*openai/],
  [["open", "openai/"], /It must be a provider or provider\/model/],
  [["open"], /missing required argument/],
])("%j is refused, and says what is wrong", async (args, message) => {
  await using both = await startBoth();
  const { status, stderr } = await start("circuits", ...args, "--url", both.url).end();
  expect(status).toBe(1);
  expect(stderr).toMatch(message);
});
