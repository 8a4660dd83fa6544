/**
 * `node ops/complete-lock.mts`, after adding a package: names in the lock file
 * what other platforms need. A registry that lacks those optional packages makes
 * npm leave them out, and then `npm ci` refuses the lock file everywhere.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface Entry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const FILE = new URL("../package-lock.json", import.meta.url);
const PLATFORM =
  /-(?<os>android|darwin|freebsd|linux|win32)-(?<cpu>arm64|armv7|arm|ia32|x64)(?:-(?<libc>gnu|musl))?$/;
const CPUS: Readonly<Record<string, string>> = { armv7: "arm" };
const LIBCS: Readonly<Record<string, string>> = { gnu: "glibc", musl: "musl" };

const lock: { packages: Record<string, Entry> } = JSON.parse(readFileSync(FILE, "utf8"));
for (const [place, { dev, optionalDependencies = {} }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`;
    if (lock.packages[key] || lock.packages[`${place}/${key}`]) continue;
    const { os, cpu = "", libc = "" } = name.match(PLATFORM)?.groups ?? {};
    if (!os) throw new Error(`${name} does not say which platform it is for`);
    lock.packages[key] = {
      version,
      cpu: [CPUS[cpu] ?? cpu],
      ...(dev ? { dev } : {}),
      ...(LIBCS[libc] ? { libc: [LIBCS[libc]] } : {}),
      optional: true,
      os: [os],
    } as Entry;
  }
}
const { "": root, ...others } = lock.packages;
const sorted = Object.entries(others).sort(([a], [b]) => a.localeCompare(b, "en"));
lock.packages = { "": root ?? {}, ...Object.fromEntries(sorted) };
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
