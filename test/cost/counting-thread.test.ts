import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { countTokens as o200k } from "gpt-tokenizer/encoding/o200k_base";
import { afterEach, describe, expect, it } from "vitest";
import { CountingThread } from "../../src/cost/counting-thread.ts";
import { cpuMsUntil } from "../support/cpu.ts";

const PROSE = "The gateway says for every request what it cost, and why. ".repeat(2_000).trim();
const threads: CountingThread[] = [];

function thread(script?: URL): CountingThread {
  const started = new CountingThread(script);
  threads.push(started);
  return started;
}

/** Runs this instead of the thread's own script. */
function script(source: string): URL {
  return new URL(`data:text/javascript,${encodeURIComponent(source)}`);
}

afterEach(async () => {
  await Promise.all(threads.splice(0).map((one) => one.close()));
});

describe("texts", () => {
  it("are counted as a whole", async () => {
    const counting = thread();
    const counts = await Promise.all([
      counting.count("o200k", PROSE),
      counting.count("cl100k", "こんにちは世界"),
      counting.count("o200k", ""),
    ]);
    expect(counts).toEqual([o200k(PROSE), 4, 0]);
  });

  it("are counted while others have their turn", async () => {
    const counting = thread();
    await counting.count("o200k", "warm");
    const tookMs = await cpuMsUntil(() => counting.count("o200k", "qxzjkvwb".repeat(250_000)));
    // On this thread it would be a second or more.
    expect(tookMs).toBeLessThan(500);
  });
});

describe("a count that is not wanted any more", () => {
  it("ends at once, and the next is not held up by it", async () => {
    const counting = thread();
    await counting.count("o200k", "warm");
    const leaving = new AbortController();
    const abandoned = counting.count("o200k", "qxzjkvwb".repeat(3_000_000), leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(abandoned).rejects.toThrow("gone");
    const startedAt = performance.now();
    expect(await counting.count("o200k", "Hello world")).toBe(2);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it("is not begun", async () => {
    await expect(thread().count("o200k", PROSE, AbortSignal.abort(new Error("gone")))).rejects.toThrow(
      "gone",
    );
  });
});

describe("nothing is counted", () => {
  it("where too much waits already, and then again", async () => {
    const counting = thread();
    const leaving = new AbortController();
    const half = "x ".repeat(8 * 1024 * 1024);
    const two = [half, half].map((text) => counting.count("o200k", text, leaving.signal));
    expect(await counting.count("o200k", "x")).toBeUndefined();
    leaving.abort();
    await Promise.allSettled(two);
    expect(await counting.count("o200k", "x")).toBe(1);
  });

  it("where the thread dies, and the next one is there for the next text", async () => {
    const dying = script(`
      import { parentPort } from "node:worker_threads";
      parentPort.on("message", ({ id, text }) => {
        if (text === "die") throw new Error("dead");
        parentPort.postMessage({ id, tokens: text.length });
      });`);
    const counting = thread(dying);
    expect(await counting.count("o200k", "four")).toBe(4);
    expect(await Promise.all([counting.count("o200k", "die"), counting.count("o200k", "other")])).toEqual([
      undefined,
      undefined,
    ]);
    expect(await counting.count("o200k", "four")).toBe(4);
  });

  it("where the thread cannot start", async () => {
    expect(await thread(new URL("file:///nowhere/at-all.js")).count("o200k", "x")).toBeUndefined();
  });
});

it("runs as it is shipped too, as JavaScript", async () => {
  const checkout = fileURLToPath(new URL("../..", import.meta.url));
  // What it imports is found from here.
  const built = mkdtempSync(join(checkout, "node_modules", ".built-"));
  try {
    const tsc = join(checkout, "node_modules", ".bin", "tsc");
    execFileSync(tsc, ["-p", "tsconfig.build.json", "--outDir", built, "--sourceMap", "false", "--noCheck"], {
      cwd: checkout,
    });
    const shipped: { CountingThread: typeof CountingThread } = await import(
      join(built, "src", "cost", "counting-thread.js")
    );
    const counting = new shipped.CountingThread();
    threads.push(counting);
    expect(await counting.count("o200k", "Hello world")).toBe(2);
  } finally {
    rmSync(built, { recursive: true });
  }
});
