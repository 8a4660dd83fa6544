import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { loadConfig } from "../../src/config/load.ts";
import { UNCHANGED_MS, watchConfig } from "../../src/config/watch.ts";
import { VirtualClock } from "../support/clock.ts";

const SOON = { timeout: 15_000, interval: 10 };

let folder: string;
let file: string;
let watch: { close(): void } | undefined;
let clock: VirtualClock;
const ports: number[] = [];
const errors: unknown[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "llmgateway-watch-"));
  file = join(folder, "gateway.yaml");
  clock = new VirtualClock();
  ports.length = 0;
  errors.length = 0;
});

afterEach(() => {
  watch?.close();
  rmSync(folder, { recursive: true });
});

function start(onLoaded = (port: number) => void ports.push(port)): void {
  watch = watchConfig({
    paths: () => [file],
    load: () => loadConfig({ file, env: {} }),
    onLoaded: (config) => onLoaded(config.server.port),
    onFailed: (error) => errors.push(error),
    intervalMs: 10,
    clock,
  });
}

/** Waits until a change is seen; then nothing more changes for long enough, unless it is written meanwhile. */
async function seen(write = () => {}, of = clock): Promise<void> {
  await vi.waitFor(() => {
    if (of.pending === 0) write();
    expect(of.pending).toBe(1);
  }, SOON);
}

async function loaded(write?: () => void): Promise<void> {
  await seen(write);
  await clock.advance(UNCHANGED_MS);
  expect(clock.pending).toBe(0);
}

/** The first look must have been taken before a change can be seen. */
async function startAndLook(): Promise<void> {
  start();
  await loaded(() => writeFileSync(file, `server: {port: 1} # ${Math.random()}`));
  expect(ports).toEqual([1]);
}

it("loads a file anew when it changes, and keeps quiet about one that does not", async () => {
  writeFileSync(file, "server: {port: 1}");
  await startAndLook();
  writeFileSync(file, "server: {port: 22}");
  await loaded();
  expect(ports).toEqual([1, 22]);
  expect(errors).toEqual([]);
});

it("leaves the old snapshot in force while the file is bad", async () => {
  writeFileSync(file, "server: {port: 1}");
  await startAndLook();
  writeFileSync(file, "server: {port: bad}");
  await loaded();
  expect(errors).toEqual([expect.any(ConfigError)]);
  unlinkSync(file);
  await loaded();
  expect(String(errors[1])).toContain("ENOENT");
  expect(ports).toEqual([1]);
  writeFileSync(file, "server: {port: 3}");
  await loaded();
  expect(ports).toEqual([1, 3]);
});

it("waits while a file is being written, also beside the one that is replaced, or vanished", async () => {
  writeFileSync(file, "server: {port: 1}");
  await startAndLook();
  const other = join(folder, "other.yaml");
  for (const change of [
    () => writeFileSync(file, "server: {port: 2} # whole"),
    () => {
      writeFileSync(other, "server: {port: 2}");
      renameSync(other, file);
    },
    () => unlinkSync(file),
  ]) {
    ports.length = 0;
    writeFileSync(file, "# half");
    await seen();
    await clock.advance(UNCHANGED_MS - 1);
    change();
    await clock.advance(1);
    expect(ports).toEqual([]);
    writeFileSync(file, "server: {port: 3} # all of it");
    await clock.advance(UNCHANGED_MS);
    expect(ports).toEqual([]);
    await clock.advance(UNCHANGED_MS);
    expect(ports).toEqual([3]);
  }
  expect(errors).toEqual([]);
});

it("follows symbolic links that are swapped, as in a Kubernetes ConfigMap", async () => {
  for (const [version, port] of [
    ["v1", 1],
    ["v2", 2],
  ] as const) {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, "gateway.yaml"), `server: {port: ${port}}`);
  }
  symlinkSync("v1", join(folder, "data"));
  symlinkSync(join("data", "gateway.yaml"), file);
  await startAndLook();
  symlinkSync("v2", join(folder, "next"));
  renameSync(join(folder, "next"), join(folder, "data"));
  await loaded();
  expect(ports).toEqual([1, 2]);
});

it("counts a snapshot that nobody can use as failed", async () => {
  writeFileSync(file, "server: {port: 1}");
  start(() => {
    throw new Error("no");
  });
  await loaded(() => writeFileSync(file, `# ${Math.random()}`));
  expect(errors.map(String)).toEqual(["Error: no"]);
});

it("stops when it is closed, also while it waits", async () => {
  writeFileSync(file, "server: {port: 1}");
  await startAndLook();
  writeFileSync(file, "server: {port: 2}");
  await seen();
  watch?.close();
  expect(clock.pending).toBe(0);
  // Another watch of the same file proves that the change could have been seen.
  const theirs = new VirtualClock();
  const other = watchConfig({
    paths: () => [file],
    load: () => 0,
    onLoaded: () => {},
    onFailed: () => {},
    intervalMs: 10,
    clock: theirs,
  });
  await seen(() => writeFileSync(file, `# ${Math.random()}`), theirs);
  other.close();
  expect(clock.pending).toBe(0);
});
