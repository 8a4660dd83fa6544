/** The Go client, by its own tests, against a live gateway. */
import { createHash, randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { startBoth } from "../../support/gateway.ts";
import { CALLS_HERE, SECRET } from "../../support/receiver.ts";
import { CHECKOUT, CLIENT, command, DRIVER, go, hasGo, WITHIN_MS } from "./go.ts";

describe.runIf(hasGo())("in Go", () => {
  test("the client passes its own tests", { timeout: WITHIN_MS }, async () => {
    const key = randomUUID();
    const sha256 = createHash("sha256").update(key).digest("hex");
    const keys = [{ name: "team-go", sha256, scopes: ["call", "admin"] }];
    // Other tests ask the same again and again, and count what it costs.
    const cache = { enabled: true, families: { "openai/gpt-4o": { enabled: false } } };
    const given = { ...CALLS_HERE.given, auth: { keys }, cache, server: { host: "127.0.0.1" } };
    await using both = await startBoth(given, CALLS_HERE.surroundings);
    const race = await canFindRaces();
    const printed = await go(CLIENT, ["test", "-count=1", "-json", ...(race ? ["-race"] : []), "./..."], {
      LLMGATEWAY_TEST_URL: both.url,
      LLMGATEWAY_TEST_KEY: key,
      LLMGATEWAY_TEST_SECRET: SECRET,
    });
    const passed = printed.split("\n").filter((line) => line.includes('"Action":"pass"'));
    console.log(
      `go test${race ? " -race" : ""}: ${passed.filter((line) => line.includes('"Test"')).length} passed`,
    );
    // Each protocol has reached the gateway, and jobs have made calls of their own.
    expect(new Set(both.log.events.map(({ protocol }) => protocol))).toEqual(
      new Set([undefined, "connect", "grpc", "grpc-web", "job"]),
    );
  });

  test.each([
    ["the client", CLIENT],
    ["the driver", DRIVER],
  ])("%s is in order", { timeout: WITHIN_MS }, async (_, folder) => {
    await go(folder, ["vet", "./..."]);
    await go(folder, ["mod", "verify"]);
    await go(folder, ["mod", "tidy", "-diff"]);
    expect(await command("gofmt", folder, ["-l", "."])).toBe("");
  });
});

/** The race detector needs a C compiler. */
async function canFindRaces(): Promise<boolean> {
  const [enabled, compiler = ""] = (await go(CHECKOUT, ["env", "CGO_ENABLED", "CC"])).split("\n");
  return (
    enabled === "1" &&
    (await command(compiler, CHECKOUT, ["--version"]).then(
      () => true,
      () => false,
    ))
  );
}
