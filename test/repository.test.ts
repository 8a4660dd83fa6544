/** What holds for the repository as a whole, read off the files that git knows or would know. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const checkout = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const read = (path: string) => readFileSync(join(checkout, path), "utf8");
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
  cwd: checkout,
  encoding: "utf8",
})
  .split("\0")
  .filter((path) => path !== "" && existsSync(join(checkout, path)));

describe("the version of Node", () => {
  it("is one and the same wherever it is named", () => {
    const { devDependencies, engines } = JSON.parse(read("package.json"));
    const { jobs } = parse(read(".github/workflows/ci.yml"));
    const setups = Object.values<{ steps: { uses?: string; with?: Record<string, unknown> }[] }>(jobs)
      .flatMap(({ steps }) => steps)
      .filter(({ uses }) => uses?.startsWith("actions/setup-node@"));
    const images = [...read("Dockerfile").matchAll(/^FROM node:(\S+)/gm)];
    const named = [
      devDependencies.node,
      devDependencies["@types/node"],
      engines.node,
      ...setups.map(({ with: input }) => input?.["node-version"]),
      ...images.map(([, tag]) => tag),
    ];
    expect(setups.length).toBeGreaterThan(0);
    expect(images.length).toBe(2);
    const majors = named.map((version) => /^\D*(\d+)/.exec(String(version))?.[1]);
    expect(new Set(majors)).toEqual(new Set([process.versions.node.split(".")[0]]));
  });
});

describe("no file", () => {
  const texts = files
    .filter((path) => statSync(join(checkout, path)).isFile())
    .map((path) => ({ path, text: readFileSync(join(checkout, path), "latin1") }));
  const holding = (secret: string) =>
    texts.filter(({ text }) => text.includes(secret)).map(({ path }) => path);

  it("is missing from this look", () => {
    expect(files).toContain("package.json");
    expect(files).toContain("src/app.ts");
  });

  it("holds a path of the machine that it was written on", () => {
    const parent = dirname(checkout);
    for (const name of readdirSync(parent)) expect(holding(join(parent, name)), name).toEqual([]);
  });

  it("names a registry that packages came from", () => {
    const settings = [
      ["npm", "config", "get", "registry"],
      ["go", "env", "GOPROXY"],
    ].map(([tool = "", ...args]) => outputOf(tool, args));
    const hosts = settings.flatMap((setting) => [
      ...setting.matchAll(/https?:\/\/(?:[^/@\s]*@)?([^/,|\s]+)/g),
    ]);
    for (const [, host = ""] of hosts) expect(holding(host)).toEqual([]);
  });
});

describe.each(["package-lock.json", "ops/generate/package-lock.json"])("%s", (path) => {
  const { packages } = JSON.parse(read(path)) as {
    packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>;
  };

  it("does not say where packages came from, so that any registry serves", () => {
    const resolved = Object.entries(packages).filter(([, entry]) => entry.resolved?.startsWith("http"));
    expect(resolved).toEqual([]);
  });

  it("has the packages for every platform, or else needs ops/complete-lock.mts: npm ci would refuse it", () => {
    const missing = Object.entries(packages).flatMap(([place, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !packages[`${place}/node_modules/${name}`] && !packages[`node_modules/${name}`],
      ),
    );
    expect(missing).toEqual([]);
  });
});

it("package.json publishes only what there is", () => {
  const { files, bin } = JSON.parse(read("package.json"));
  const built = (path: string) => path.startsWith("dist");
  for (const path of files.filter((path: string) => !built(path))) {
    expect(existsSync(join(checkout, path)), path).toBe(true);
  }
  for (const path of Object.values<string>(bin)) {
    expect(existsSync(join(checkout, path.replace(/^dist\/(.*)\.js$/, "$1.ts"))), path).toBe(true);
  }
});

it("the image is made of files that there are and that .dockerignore lets in", () => {
  const copied = [...read("Dockerfile").matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, args = ""]) =>
    args.split(" ").slice(0, -1),
  );
  const allowed = read(".dockerignore")
    .split("\n")
    .flatMap((line) => /^!(.+)/.exec(line)?.[1] ?? []);
  expect(copied.length).toBeGreaterThan(5);
  for (const path of copied) {
    expect(existsSync(join(checkout, path)), path).toBe(true);
    expect(
      allowed.some((open) => path === open || path.startsWith(`${open}/`)),
      path,
    ).toBe(true);
  }
});

it("the compose file starts both services by commands that there are", () => {
  const { services } = parse(read("ops/compose.yaml"));
  expect(Object.keys(services)).toEqual(["gateway", "emulator"]);
  const check: unknown[] = services.emulator.healthcheck.test;
  expect(check.every((word) => typeof word === "string")).toBe(true);
  expect(read("clients/cli/main.ts")).toContain(`.command("${services.emulator.command[0]}")`);
  for (const name of Object.keys(services.gateway.environment))
    expect(read(".env.example")).toContain(`${name}=`);
});

function outputOf(tool: string, args: readonly string[]): string {
  try {
    return execFileSync(tool, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    // Go is needed to generate alone.
    return "";
  }
}
