import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { loadConfig } from "../../src/config/load.ts";
import { watchConfig } from "../../src/config/watch.ts";

let folder: string;
let file: string;
let watch: { close(): void } | undefined;
const ports: number[] = [];
const errors: unknown[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "llmgateway-watch-"));
  file = join(folder, "gateway.yaml");
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
  });
}

/** The first look must have been taken before a change can be seen. */
async function startAndLook(): Promise<void> {
  start();
  await vi.waitFor(() => {
    writeFileSync(file, `server: {port: 1} # ${Math.random()}`);
    expect(ports).toContain(1);
  });
}

it("loads a file anew when it changes, and keeps quiet about one that does not", async () => {
  writeFileSync(file, "server: {port: 1}");
  await startAndLook();
  writeFileSync(file, "server: {port: 22}");
  await vi.waitFor(() => expect(ports.at(-1)).toBe(22));
  expect(errors).toEqual([]);
});

it("leaves the old snapshot in force while the file is bad", async () => {
  writeFileSync(file, "server: {port: 1}");
  await startAndLook();
  writeFileSync(file, "server: {port: bad}");
  await vi.waitFor(() => expect(errors.at(-1)).toBeInstanceOf(ConfigError));
  expect(new Set(ports)).toEqual(new Set([1]));
  unlinkSync(file);
  await vi.waitFor(() => expect(String(errors.at(-1))).toContain("ENOENT"));
  writeFileSync(file, "server: {port: 3}");
  await vi.waitFor(() => expect(ports.at(-1)).toBe(3));
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
  await vi.waitFor(() => expect(ports.at(-1)).toBe(2));
});

it("counts a snapshot that nobody can use as failed", async () => {
  writeFileSync(file, "server: {port: 1}");
  start(() => {
    throw new Error("no");
  });
  await vi.waitFor(() => {
    writeFileSync(file, `# ${Math.random()}`);
    expect(String(errors[0])).toBe("Error: no");
  });
});

it("stops when it is closed", async () => {
  writeFileSync(file, "server: {port: 1}");
  await startAndLook();
  watch?.close();
  const before = ports.length;
  // Another watch of the same file proves that the change could have been seen.
  const seen: number[] = [];
  const other = watchConfig({
    paths: () => [file],
    load: () => 0,
    onLoaded: (value) => seen.push(value),
    onFailed: () => {},
    intervalMs: 10,
  });
  await vi.waitFor(() => {
    writeFileSync(file, `# ${Math.random()}`);
    expect(seen).not.toEqual([]);
  });
  other.close();
  expect(ports).toHaveLength(before);
});
