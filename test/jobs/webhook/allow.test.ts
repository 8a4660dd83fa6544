/** Where a webhook may go. Each URL that may not is refused when it is given, and again when it would be called. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { callbackProblem, type WebhookRules } from "../../../src/jobs/webhook/allow.ts";
import { attempt } from "../../../src/jobs/webhook/attempt.ts";
import { post } from "../../../src/jobs/webhook/post.ts";
import type { Resolve } from "../../../src/wire/destination.ts";
import { MemoryOutbox } from "../../support/outbox.ts";
import { onLoopback, type Receiver, rulesFor, startReceiver } from "../../support/receiver.ts";

/** Listens where every one of these URLs would lead. */
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver[Symbol.asyncDispose]());

const options = (rules: WebhookRules, resolve: Resolve) => ({
  rules,
  resolve,
  clock: systemClock,
  signal: new AbortController().signal,
});

/** As one that was stored before. */
async function deliver(url: string, rules: WebhookRules, resolve: Resolve = onLoopback) {
  const outbox = new MemoryOutbox();
  outbox.add("id", url, Date.now());
  return attempt(outbox.at("id"), {
    ...options(rules, resolve),
    render: async () => "{}",
    random: () => 0,
    hostFails: false,
    onError: () => {},
  });
}

/** PORT is the receiver's, which listens on 127.0.0.1. */
const here = (url: string) => url.replaceAll("PORT", String(receiver.port));

const REFUSED: readonly (readonly [string, RegExp])[] = [
  // Loopback, however it is written.
  ["http://127.0.0.1:PORT/", /"127\.0\.0\.1:\d+" may not be called/],
  ["http://2130706433:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://0x7f000001:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://0x7f.0.0.1:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://0177.0.0.1:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://017700000001:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://127.1:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://127.0.1:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://127.0.0.1.:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://127。0。0。1:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://１２７.0.0.1:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://%31%32%37.0.0.1:PORT/", /"127\.0\.0\.1:\d+" may not/],
  ["http://0:PORT/", /"0\.0\.0\.0:\d+" may not/],
  ["http://0.0.0.0:PORT/", /"0\.0\.0\.0:\d+" may not/],
  ["http://[::1]:PORT/", /"\[::1\]:\d+" may not/],
  ["http://[::]:PORT/", /"\[::\]:\d+" may not/],
  ["http://[0:0:0:0:0:0:0:1]:PORT/", /"\[::1\]:\d+" may not/],
  ["http://[::ffff:127.0.0.1]:PORT/", /"\[::ffff:7f00:1\]:\d+" may not/],
  ["http://[::ffff:7f00:1]:PORT/", /"\[::ffff:7f00:1\]:\d+" may not/],
  ["http://[::127.0.0.1]:PORT/", /"\[::7f00:1\]:\d+" may not/],
  ["http://[64:ff9b::7f00:1]:PORT/", /may not/],
  ["http://[fe80::1%25lo]:PORT/", /must be a whole URL/],
  ["http://[fe80::1%lo]:PORT/", /must be a whole URL/],
  ["http://localhost:PORT/", /"localhost:\d+" may not/],
  ["http://LOCALHOST:PORT/", /"localhost:\d+" may not/],
  ["http://ⓛocalhost:PORT/", /"localhost:\d+" may not/],
  // A cloud's metadata.
  ["http://169.254.169.254/latest/meta-data/", /may not/],
  ["http://2852039166/latest/meta-data/", /"169\.254\.169\.254" may not/],
  ["http://[fd00:ec2::254]/latest/meta-data/", /may not/],
  // Names that look like the one that is allowed.
  ["http://hooks.example.com.:PORT/", /without a dot at the end/],
  ["http://.hooks.example.com:PORT/", /may not/],
  ["http://hooks.example.com.evil.example:PORT/", /may not/],
  ["http://evil-hooks.example.com:PORT/", /may not/],
  ["http://sub.hooks.example.com:PORT/", /may not/],
  ["http://hooks.example.comx:PORT/", /may not/],
  ["http://hoοks.example.com:PORT/", /"xn--.*" may not/],
  ["http://example.com:PORT/", /may not/],
  // Other ports.
  ["http://hooks.example.com/", /"hooks\.example\.com" may not/],
  ["http://hooks.example.com:1/", /"hooks\.example\.com:1" may not/],
  ["https://hooks.example.com/", /"hooks\.example\.com" may not/],
  // Other schemes.
  ["ftp://hooks.example.com:PORT/", /must begin with https/],
  ["ws://hooks.example.com:PORT/", /must begin with https/],
  ["file:///etc/passwd", /must begin with https/],
  ["gopher://127.0.0.1:PORT/_", /must begin with https/],
  ["data:text/plain,hello", /must begin with https/],
  ["javascript:alert(1)", /must begin with https/],
  ["blob:http://hooks.example.com:PORT/1", /must begin with https/],
  ["unix:///var/run/docker.sock", /must begin with https/],
  // What a receiver's URL has no need for.
  ["http://me:hunter22@hooks.example.com:PORT/", /user name or a password/],
  ["http://hunter22@hooks.example.com:PORT/", /user name or a password/],
  ["http://@hooks.example.com:PORT/", /user name or a password/],
  ["http://hooks.example.com:PORT@127.0.0.1:PORT/", /user name or a password/],
  ["http:@hooks.example.com:PORT/", /user name or a password/],
  ["http://hooks.example.com:PORT/#fragment", /must not have a fragment/],
  ["http://hooks.example.com:PORT/#", /must not have a fragment/],
  ["http://127.0.0.1:PORT\\@hooks.example.com:PORT/", /backslashes/],
  ["http://127.0.0.1:PORT\t/", /without spaces/],
  [" http://hooks.example.com:PORT/", /without spaces/],
  ["http://hooks.exam\nple.com:PORT/", /line breaks/],
  ["http://hooks.example.com:PORT/\u0000", /control characters/],
  ["//hooks.example.com:PORT/", /must be a whole URL/],
  ["/jobs", /must be a whole URL/],
  ["http://hooks.example.com:99999/", /must be a whole URL/],
  ["http://[::1/", /must be a whole URL/],
  ["http://4294967296:PORT/", /must be a whole URL/],
  ["hooks.example.com", /must be a whole URL/],
  ["", /must be a whole URL/],
];

describe("a URL that is not allowed", () => {
  it.each(REFUSED)("%j", async (template, problem) => {
    const url = here(template);
    const rules = rulesFor(receiver.port);
    const said = callbackProblem(url, rules) ?? "";
    expect(said).toMatch(problem);
    expect(said).not.toContain("hunter22");
    const before = receiver.connections;
    const { delivery, after, hostAnswers } = await deliver(url, rules);
    expect(delivery).toMatchObject({ httpStatus: undefined, error: `the callback_url ${said}` });
    expect(after).toEqual({ state: "failed" });
    expect(hostAnswers).toBeUndefined();
    expect(receiver.connections).toBe(before);
  });
});

describe("an address that is not public", () => {
  const LITERALS = [
    "127.0.0.1:PORT",
    "2130706433:PORT",
    "0x7f.1:PORT",
    "[::ffff:127.0.0.1]:PORT",
    "0.0.0.0:PORT",
  ];

  it.each(LITERALS)("is not reached as %s for its host's being listed", async (host) => {
    const url = here(`http://${host}/`);
    const rules = rulesFor(receiver.port, { allowedHosts: [new URL(url).host], allowedNetworks: [] });
    expect(callbackProblem(url, rules)).toMatch(
      /has an address that is (loopback|unspecified); .* jobs\.webhooks\.allowed_networks/,
    );
  });

  it.each(LITERALS)("is not reached as %s by the connection itself", async (host) => {
    const rules = rulesFor(receiver.port, { allowedNetworks: [] });
    const before = receiver.connections;
    const sent = await post(
      { url: here(`http://${host}/`), headers: {}, body: "{}" },
      options(rules, onLoopback),
    );
    expect(sent.error).toMatch(/has an address that is (loopback|unspecified)/);
    expect(receiver.connections).toBe(before);
  });

  it.each([
    ["loopback", ["127.0.0.1"]],
    ["loopback", ["::1"]],
    ["private", ["192.168.1.1"]],
    ["metadata", ["169.254.169.254"]],
    ["unique-local", ["fd00::1"]],
    ["shared", ["100.64.0.1"]],
    ["loopback", ["93.184.215.14", "127.0.0.1"]],
  ] as const)("is not reached by a name that is allowed: %s %j", async (kind, addresses) => {
    const rules = rulesFor(receiver.port, { allowedNetworks: [] });
    expect(callbackProblem(receiver.url, rules)).toBeUndefined();
    const before = receiver.connections;
    const { delivery, after } = await deliver(receiver.url, rules, async () => addresses);
    expect(delivery.error).toContain(`its host has an address that is ${kind}`);
    expect(delivery.error).not.toContain(addresses[0]);
    // It may be mended: in DNS, or in the configuration.
    expect(after.state).toBe("pending");
    expect(receiver.connections).toBe(before);
  });

  it("is not reached by a name that was public when it was looked up", async () => {
    const sets = [["127.0.0.2"], ["127.0.0.1"]];
    const rules = rulesFor(receiver.port, { allowedNetworks: ["127.0.0.2/32"] });
    const before = receiver.connections;
    const { delivery } = await deliver(receiver.url, rules, async () => sets.shift() ?? []);
    expect(delivery.error).toBe("its host refuses the connection");
    expect(sets).toEqual([["127.0.0.1"]]);
    expect(receiver.connections).toBe(before);
  });

  it("is not reached by a redirect", async () => {
    await using other = await startReceiver((_, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${receiver.port}/` }).end(),
    );
    const before = receiver.connections;
    const { delivery, after } = await deliver(other.url, rulesFor(other.port));
    expect(delivery).toMatchObject({
      httpStatus: 307,
      error: expect.stringContaining("redirects are not followed"),
    });
    expect(after.state).toBe("pending");
    expect(receiver.connections).toBe(before);
  });
});

describe("a URL that is allowed", () => {
  it.each([
    ["http://hooks.example.com:PORT/jobs", "hooks.example.com:PORT"],
    ["http://HOOKS.Example.com:PORT/jobs", "hooks.example.COM:PORT"],
    ["http://hooks。example。com:PORT/jobs", "hooks.example.com:PORT"],
    ["http://eu.hooks.example.com:PORT/jobs?token=1#".slice(0, -1), "*.hooks.example.com:PORT"],
    ["http://a.b.example.com:PORT/", "*.example.com:PORT"],
    ["http://bücher.example:PORT/", "xn--bcher-kva.example:PORT"],
    ["http://127.0.0.1:PORT/", "127.0.0.1:PORT"],
    ["http://0x7f.1:PORT/", "127.0.0.1:PORT"],
  ])("%s by %s is delivered", async (template, entry) => {
    const rules = rulesFor(receiver.port, { allowedHosts: ["other.example.com", here(entry)] });
    const url = here(template);
    expect(callbackProblem(url, rules)).toBeUndefined();
    const before = receiver.received.length;
    const { delivery, after } = await deliver(url, rules);
    expect([delivery.error, after]).toEqual(["", { state: "delivered" }]);
    expect(receiver.received.length).toBe(before + 1);
    expect(receiver.received.at(-1)?.headers.host).toBe(new URL(url).host);
  });

  it.each([
    ["https://hooks.example.com/", "hooks.example.com", true],
    ["https://hooks.example.com:443/", "hooks.example.com", true],
    ["https://hooks.example.com/", "hooks.example.com:443", true],
    ["http://hooks.example.com/", "hooks.example.com", true],
    ["http://hooks.example.com/", "hooks.example.com:443", false],
    ["https://hooks.example.com:80/", "hooks.example.com", false],
    ["http://hooks.example.com:443/", "hooks.example.com", false],
    ["https://example.com/", "*.example.com", false],
    ["https://.example.com/", "*.example.com", false],
    ["https://badexample.com/", "*.example.com", false],
    ["https://1.1.1.1/", "*.1.1.1", false],
    ["https://1.1.1.1/", "1.1.1.1", true],
    ["https://[2606:4700::1111]/", "[2606:4700:0::1111]", true],
    ["https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443", true],
    ["https://[2606:4700::1111]/", "[2606:4700::2222]", false],
  ])("%s by %s: %s", (url, entry, allowed) => {
    const problem = callbackProblem(url, rulesFor(1, { allowedHosts: [entry] }));
    expect(problem === undefined).toBe(allowed);
  });
});

describe("the rules", () => {
  it("want https by default", () => {
    const rules = rulesFor(1, { allowHttp: false, allowedHosts: ["hooks.example.com"] });
    expect(callbackProblem("http://hooks.example.com/", rules)).toContain("jobs.webhooks.allow_http");
    expect(callbackProblem("https://hooks.example.com/", rules)).toBeUndefined();
  });

  it("allow nothing where nothing is listed, and say which field would", () => {
    expect(callbackProblem("https://hooks.example.com/", rulesFor(1, { allowedHosts: [] }))).toBe(
      'no host may be called; the gateway\'s operator can add "hooks.example.com" to jobs.webhooks.allowed_hosts',
    );
  });

  it("want a secret, and name the variable for it", async () => {
    const rules = rulesFor(receiver.port, { secrets: [], secretEnv: "HOOK_SECRET" });
    expect(callbackProblem(receiver.url, rules)).toContain("must set HOOK_SECRET");
    const before = receiver.connections;
    const { delivery, after } = await deliver(receiver.url, rules);
    expect(delivery.error).toContain("must set HOOK_SECRET");
    expect(after.state).toBe("pending");
    expect(receiver.connections).toBe(before);
  });
});
