/** What a user of the Go client does first: from an empty module to an answer, by the README. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { readBlocks } from "../../docs/page.ts";
import { startBoth } from "../../support/gateway.ts";
import { CHECKOUT, CLIENT, command, go, hasGo, WITHIN_MS } from "./go.ts";
import { publish } from "./publication.ts";

const VERSION = "v0.1.0";
const MODULE = "github.com/llmgateway/llmgateway";
const ANSWER =
  'This is the answer to "Hello". No model was asked; every word of it was known before. With the same seed, ' +
  "the same question is always answered with these words.\n$0.0003200\n";

describe.runIf(hasGo())("the Go modules, published", () => {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-go-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("serve an empty module, by the quickstart", { timeout: WITHIN_MS }, async () => {
    await using both = await startBoth();
    const env = await settings(folder);
    const known = new Set(foreign(join(CLIENT, "go.sum")));
    const user = join(folder, "user");
    mkdirSync(user);
    writeFileSync(join(user, "main.go"), quickstart());

    await go(user, ["mod", "init", "example.com/user"], env);
    await go(user, ["get", `${MODULE}/clients/go@${VERSION}`], env);
    await go(user, ["build", "-o", "user", "."], env);

    const [client, generated] = await Promise.all(
      ["clients/go", "gen/go"].map((path) => go(user, ["list", "-m", "-json", `${MODULE}/${path}`], env)),
    ).then((printed) => printed.map((text) => JSON.parse(text)));
    for (const module of [client, generated]) {
      expect(module).toMatchObject({ Version: VERSION });
      expect(module.Replace).toBeUndefined();
    }
    const printed = await command(join(user, "user"), user, [], { LLMGATEWAY_URL: both.url });
    expect(printed).toBe(ANSWER + ANSWER);
    const sums = foreign(join(user, "go.sum"));
    expect(sums.length).toBeGreaterThan(0);
    expect(sums.filter((line) => !known.has(line))).toEqual([]);
  });
});

/**
 * A module cache of its own, since a cache keeps a version for ever and ours is made anew each time. It is filled from
 * the machine's cache, which lies on disk just as a proxy does.
 */
async function settings(folder: string): Promise<Record<string, string>> {
  const [cache = "", proxy = ""] = (await go(CHECKOUT, ["env", "GOMODCACHE", "GOPROXY"])).split("\n");
  const warm = pathToFileURL(join(cache, "cache", "download")).href;
  return {
    GOFLAGS: "-buildvcs=false -trimpath -mod=mod -modcacherw",
    GOMODCACHE: join(folder, "modules"),
    GOPROXY: [publish(folder, VERSION), warm, proxy].join(","),
    GOPRIVATE: "",
    GONOPROXY: "",
    // The sums are compared with those that are committed, which Go has checked.
    GOSUMDB: "off",
  };
}

function quickstart(): string {
  const blocks = readBlocks(CLIENT, "README.md");
  const [main, ...others] = blocks.filter(({ marks }) => marks.get("file") === "main.go");
  if (!main || others.length > 0) throw new Error("the README has not the one main.go");
  return main.text;
}

/** The sums of modules that are not ours. */
function foreign(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith(MODULE));
}
