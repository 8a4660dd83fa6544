/** The console's files as they are served: headers, caching, compression, and what is said when there are none. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { buildConsole } from "../../ops/build-console.mts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { startProcess } from "../support/process.ts";

const CHECKOUT = join(import.meta.dirname, "..", "..");
const FILES = [
  ["/", "text/html; charset=utf-8", "<!doctype html>"],
  ["/console.js", "text/javascript; charset=utf-8", ""],
  ["/style.css", "text/css; charset=utf-8", ":root"],
  ["/icon.svg", "image/svg+xml", "<svg"],
] as const;

let both: GatewayUnderTest;
beforeAll(async () => {
  await buildConsole();
  both = await startBoth({
    server: { host: "127.0.0.1" },
    // The page itself is open to all.
    auth: { keys: [{ name: "team", sha256: "0".repeat(64) }] },
  });
});
afterAll(() => both[Symbol.asyncDispose]());

test.each(FILES)("%s is served, so that nothing foreign can run in it", async (path, type, text) => {
  const reply = await fetch(both.url + path);
  expect(reply.status).toBe(200);
  expect(await reply.text()).toContain(text);
  expect(Object.fromEntries(reply.headers)).toMatchObject({
    "content-type": type,
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
  const policy = (reply.headers.get("content-security-policy") ?? "").split("; ");
  expect(policy.toSorted()).toEqual([
    "base-uri 'none'",
    "connect-src 'self'",
    "default-src 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "img-src 'self' data:",
    "require-trusted-types-for 'script'",
    "script-src 'self'",
    "style-src 'self'",
  ]);
});

test("the page holds no script and no style of its own", async () => {
  const html = await (await fetch(both.url)).text();
  expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src="console\.js")/);
});

test.each(["br", "gzip"])("the script is sent in %s to whoever takes it", async (encoding) => {
  const reply = await fetch(`${both.url}/console.js`, { headers: { "accept-encoding": encoding } });
  expect(reply.headers.get("content-encoding")).toBe(encoding);
  expect(reply.headers.get("vary")).toContain("accept-encoding");
  const plain = await fetch(`${both.url}/console.js`, { headers: { "accept-encoding": "identity" } });
  expect(plain.headers.get("content-encoding")).toBeNull();
  const text = await plain.text();
  expect(await reply.text()).toBe(text);
  expect(Number(reply.headers.get("content-length"))).toBeLessThan(text.length / 2);
});

test("whoever has the page already is told so, and nothing more", async () => {
  const first = await fetch(both.url);
  const etag = first.headers.get("etag") ?? "";
  expect(etag).toMatch(/^W\/"[\w-]{20,}"$/);
  for (const known of [etag, `"other", ${etag}`, "*"]) {
    const again = await fetch(both.url, { headers: { "if-none-match": known } });
    expect(again.status, known).toBe(304);
    expect(again.headers.get("etag")).toBe(etag);
    expect(await again.text()).toBe("");
  }
  const stale = await fetch(both.url, { headers: { "if-none-match": 'W/"older"' } });
  expect(stale.status).toBe(200);
  const script = await fetch(`${both.url}/console.js`, { headers: { "if-none-match": etag } });
  expect(script.status).toBe(200);
});

test("HEAD is answered as GET, without the page", async () => {
  const reply = await fetch(`${both.url}/?from=a-bookmark`, { method: "HEAD" });
  expect(reply.status).toBe(200);
  expect(reply.headers.get("content-type")).toContain("text/html");
  expect(Number(reply.headers.get("content-length"))).toBeGreaterThan(1000);
  expect(await reply.text()).toBe("");
});

test.each([
  ["POST", "/"],
  ["GET", "/index.html"],
  ["GET", "/package.json"],
  ["GET", "/..%2f..%2fpackage.json"],
  ["GET", "/console.js/"],
])("%s %s is nothing", async (method, path) => {
  const reply = await fetch(both.url + path, { method });
  expect(reply.status).toBe(404);
  expect(await reply.json()).toMatchObject({ code: "not_found" });
});

test("it can be switched off", async () => {
  await using off = await startBoth({ server: { console: false } });
  for (const [path] of FILES) {
    const reply = await fetch(off.url + path);
    expect(reply.status, path).toBe(404);
    expect(await reply.json()).toMatchObject({ code: "not_found", message: `there is nothing at ${path}` });
  }
});

test("where it was not built, the page's place says how", async () => {
  const checkout = mkdtempSync(join(tmpdir(), "llmgateway-unbuilt-"));
  onTestFinished(() => rmSync(checkout, { recursive: true }));
  for (const path of ["package.json", "src", "gen/ts", "gen/openapi", "docs/price-catalog.json"]) {
    mkdirSync(dirname(join(checkout, path)), { recursive: true });
    cpSync(join(CHECKOUT, path), join(checkout, path), { recursive: true });
  }
  symlinkSync(join(CHECKOUT, "node_modules"), join(checkout, "node_modules"));
  await using unbuilt = await startProcess({}, [], checkout);
  const reply = await fetch(unbuilt.url);
  expect(reply.status).toBe(404);
  expect(await reply.json()).toMatchObject({
    code: "not_found",
    message: expect.stringContaining("`npm run build`"),
    details: [{ type: "google.rpc.ErrorInfo" }],
  });
});
