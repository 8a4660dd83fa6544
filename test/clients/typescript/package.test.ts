/** The package as its users get it: packed, installed in a project of its own, run, type-checked and bundled. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { follow } from "../../docs/guide.ts";
import { readBlocks } from "../../docs/page.ts";
import { Shell } from "../../docs/shell.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";

const CHECKOUT = join(import.meta.dirname, "..", "..", "..");
const CLIENT = "clients/typescript";
const NPM = ["--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];

/** A checkout without anything built, and a project beside it that has nothing but the package. */
let folder: string;
let checkout: string;
let project: string;
let both: GatewayUnderTest;

const run = async (cwd: string, command: string, ...args: string[]) => {
  const { stdout } = await promisify(execFile)(command, args, { cwd, encoding: "utf8" });
  return stdout;
};
const tool = (name: string) => join(CHECKOUT, "node_modules/.bin", name);
const manifestOf = (path: string) => JSON.parse(readFileSync(join(CHECKOUT, path, "package.json"), "utf8"));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "llmgateway-client-"));
  checkout = join(folder, "checkout");
  project = join(folder, "project");
  mkdirSync(project);
  const built = join(CHECKOUT, CLIENT, "dist");
  for (const path of ["package.json", "tsconfig.json", "gen/ts", CLIENT]) {
    cpSync(join(CHECKOUT, path), join(checkout, path), { recursive: true, filter: (from) => from !== built });
  }
  symlinkSync(join(CHECKOUT, "node_modules"), join(checkout, "node_modules"));
  const packed = await run(join(checkout, CLIENT), "npm", "pack", "--json", "--pack-destination", folder);
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf("[\n")));
  write("package.json", JSON.stringify({ type: "module", private: true }));
  await run(project, "npm", "install", ...NPM, join(folder, filename));
  both = await startBoth();
}, 120_000);
afterAll(async () => {
  await both?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  writeFileSync(join(project, name), text);
  return name;
}

describe("its manifest", () => {
  const root = manifestOf(".");
  const client = manifestOf(CLIENT);

  it("has the version and the licence of the gateway", () => {
    expect(client).toMatchObject({ version: root.version, license: root.license });
    const licence = (path: string) => readFileSync(join(CHECKOUT, path, "LICENSE"), "utf8");
    expect(licence(CLIENT)).toBe(licence("."));
  });

  it("asks for the dependencies that it is tested with", () => {
    const tested = { ...root.dependencies, ...root.devDependencies };
    for (const [name, range] of Object.entries(client.dependencies)) expect(tested[name], name).toBe(range);
  });
});

describe("installed", () => {
  it("holds what it exports, and no more", async () => {
    const installed = join(project, "node_modules/@llmgateway/client");
    const files = (await run(installed, "find", ".", "-type", "f")).trim().split("\n");
    expect(files).toEqual(expect.arrayContaining(["./LICENSE", "./README.md", "./package.json"]));
    const others = files.filter(
      (path) => !/^\.\/dist\/(clients\/typescript\/src|gen\/ts)\/.*\.(js|d\.ts)$/.test(path),
    );
    expect(others.sort()).toEqual(["./LICENSE", "./README.md", "./package.json"]);
  });

  it.each(["connect", "grpc", "grpc-web"])(
    "runs in plain Node over %s, and lets it end",
    async (transport) => {
      const script = write(
        "plain.js",
        `import { createGateway } from "@llmgateway/client";
       const gateway = createGateway({ baseUrl: process.argv[2], transport: process.argv[3] });
       const stream = gateway.stream({ messages: [{ role: "user", content: "Hello" }] });
       console.log(await stream.text(), (await stream.receipt).cost.actualUsd);`,
      );
      expect(await run(project, process.execPath, script, both.url, transport)).toMatch(
        /^This is the answer to "Hello"\. .* 0\.\d+\n$/,
      );
    },
  );

  it("has types for strict users, in Node and in browsers", async () => {
    for (const { marks, text } of readBlocks(CHECKOUT, `${CLIENT}/README.md`)) {
      const file = marks.get("file");
      if (file) write(file, text);
    }
    write(
      "wrong.ts",
      `import { createGateway } from "@llmgateway/client";
       // @ts-expect-error: there is no such field
       createGateway({ baseUrl: "" }).chat({ modle: "openai" });`,
    );
    const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "esnext"];
    const types = join(CHECKOUT, "node_modules/@types");
    const check = (...args: string[]) => run(project, tool("tsc"), ...strict, "--typeRoots", types, ...args);
    const node = ["hello.ts", "json.ts", "job.ts", "receiver.ts", "abort.ts", "errors.ts", "wrong.ts"];
    await check("--module", "nodenext", "--types", "node", ...node);
    const lib = ["--lib", "esnext,dom", "--types", ""];
    await check("--module", "esnext", "--moduleResolution", "bundler", ...lib, "browser.ts");
  });

  it("does what its README says", { timeout: 60_000 }, async () => {
    const demo = `${process.execPath} ${join(CHECKOUT, "clients/cli/main.ts")} demo`;
    const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8"));
    write("package.json", JSON.stringify({ ...manifest, scripts: { demo } }));
    await using shell = await Shell.open(project, both.emulator.url);
    await follow(shell, readBlocks(CHECKOUT, `${CLIENT}/README.md`));
  });
});

describe.each(["browser", "neutral"] as const)("bundled for the platform %s", (platform) => {
  const ENTRY = `
    import { createGateway, GatewayError } from "@llmgateway/client";
    export async function talk(baseUrl, transport) {
      const gateway = createGateway({ baseUrl, transport });
      const stream = gateway.stream({ messages: [{ role: "user", content: "Hello" }] });
      const text = await stream.text();
      const wrong = await gateway.chat({}).catch((error) => error);
      return { text, usd: stream.costUsd, kind: wrong instanceof GatewayError && wrong.kind };
    }`;

  async function bundle(): Promise<string> {
    const input = join(project, write("bundled.js", ENTRY));
    const bundler = await rolldown({
      input,
      platform,
      cwd: project,
      onLog: (_, log) => {
        throw new Error(log.message);
      },
    });
    const { output } = await bundler.generate({ format: "iife", name: "bundled", minify: true });
    expect(output).toHaveLength(1);
    await bundler.close();
    return output[0].code;
  }

  it("works with nothing of Node", async () => {
    const code = await bundle();
    expect(code).not.toMatch(/node:|\brequire\(/);
    console.log(`the client is ${Math.round(code.length / 1024)} kB for the platform ${platform}, minified`);
    const { Headers, URL, AbortController, AbortSignal, ReadableStream, TextEncoder, TextDecoder } =
      globalThis;
    const { crypto, setTimeout, clearTimeout, atob } = globalThis;
    const bundled = runInNewContext(`${code}; bundled`, {
      Headers,
      URL,
      AbortController,
      AbortSignal,
      ReadableStream,
      TextEncoder,
      TextDecoder,
      crypto,
      setTimeout,
      clearTimeout,
      atob,
      // As strict as the edge.
      fetch: (url: string, init: RequestInit) => {
        if (init.redirect === "error") throw new TypeError("there is no such redirect mode");
        return fetch(url, init);
      },
    });
    for (const transport of ["connect", "grpc-web"]) {
      expect(await bundled.talk(both.url, transport)).toMatchObject({
        text: expect.stringMatching(/^This is the answer to "Hello"/),
        usd: expect.any(Number),
        kind: "invalid_request",
      });
    }
    await expect(bundled.talk(both.url, "grpc")).rejects.toThrow('transport: "grpc" needs Node');
  });
});
