/** `llmgateway experiments` against a gateway: what it prints, and what it does. */
import { expect, it } from "vitest";
import { start } from "../../support/command.ts";
import { startBoth } from "../../support/gateway.ts";

it("tells how experiments stand, and decides them by hand", async () => {
  const variants = [
    { name: "big", model: "openai/gpt-4o" },
    { name: "small", model: "openai/gpt-4o-mini" },
  ];
  await using both = await startBoth({ experiments: { size: { variants } } });
  const run = (...args: string[]) => start("experiments", ...args, "--url", both.url).end();
  expect((await run()).stdout).toMatch(
    /^size: running \(nothing was counted yet\)\nVARIANT +SHARE .*\nbig +50\.0 % +0\n/,
  );
  expect((await run("promote", "size", "small")).stdout).toMatch(
    /^size: decided, small has all calls \(it was promoted by hand\)\n.*\nbig +0\.0 % +0\nsmall +100\.0 % +0\n$/,
  );
  expect(JSON.parse((await run("show", "size", "--json")).stdout).experiments).toMatchObject([
    { name: "size", winner: "small", decided_by: "operator" },
  ]);
  expect((await run("stop", "size")).stdout).toMatch(/^size: stopped/);
  expect(await run("show", "nothing")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('there is no experiment "nothing"; there are size'),
  });
});
