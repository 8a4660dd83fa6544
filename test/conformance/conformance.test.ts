/** Connect's own conformance runner against the gateway's listener and fronts: every case that its features imply. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const here = import.meta.dirname;
const checkout = join(here, "..", "..");
const env = { ...process.env, PATH: `${join(checkout, ".cache", "bin")}:${process.env.PATH}` };

/** The runner takes its servers along when it is ended. */
const LONGEST_MS = 240_000;

async function run(...args: string[]): Promise<{ status: number | null; output: string }> {
  const child = spawn("connectconformance", args, {
    env,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LONGEST_MS,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [status] = await once(child, "close");
  return { status, output };
}

const version = await run("--version").then(
  ({ output }) => output.trim(),
  () => undefined,
);
/** Where it must be, its absence fails the tests. */
const possible = process.env.CI === "true" || version !== undefined;
if (!possible) console.warn("conformance is not tested: connectconformance is not installed");

test.runIf(possible)("the runner is of the version whose messages were generated", () => {
  const generate = readFileSync(join(checkout, "ops", "generate", "generate.sh"), "utf8");
  const [, generated] = /connectrpc\.com\/conformance@(\S+?)\)/.exec(generate) ?? [];
  expect(version).toBe(`connectconformance ${generated}`);
});

test.runIf(possible)("no case fails", { timeout: LONGEST_MS + 10_000 }, async () => {
  const server = [process.execPath, join(here, "server.ts")];
  const features = join(here, "features.yaml");
  const { status, output } = await run(
    "--mode",
    "server",
    "--max-servers",
    "2",
    "--parallel",
    "4",
    "--conf",
    features,
    "--",
    ...server,
  );
  const [, total, passed] = /^Total cases: (\d+)\n(\d+) passed, 0 failed$/m.exec(output) ?? [];
  expect(passed, output).toBe(total);
  expect(status, output).toBe(0);
  expect(Number(total)).toBeGreaterThan(5_000);
  console.log(`${version}: ${passed} of ${total} cases passed`);
});
