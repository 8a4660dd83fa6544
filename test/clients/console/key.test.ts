/** The console at a gateway with keys: it asks for one when it is needed, and keeps it for its tab alone. */
import { hash } from "node:crypto";
import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildConsole } from "../../../ops/build-console.mts";
import { canBrowse, launch } from "../../support/browser.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { ConsolePage } from "./page.ts";

const KEY = "a-key-for-this-test";

describe.runIf(canBrowse("the console's key"))("the key", () => {
  let both: GatewayUnderTest;
  let browser: Browser;
  beforeAll(async () => {
    await buildConsole();
    both = await startBoth({
      server: { host: "127.0.0.1" },
      auth: { keys: [{ name: "team", sha256: hash("sha256", KEY) }] },
    });
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    await both[Symbol.asyncDispose]();
  });

  async function enter(console: ConsolePage, key: string): Promise<void> {
    await console.page.waitForSelector("#key-dialog[open]");
    await console.page.$eval("#key", (field) => (field as { select(): void }).select());
    await console.page.type("#key", key);
    await console.page.keyboard.press("Enter");
  }

  test("is asked for until it is right, and then everything is there", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await console.page.waitForSelector("#key-dialog[open]");
    expect(await console.texts("#key-reason")).toEqual([expect.stringContaining("API key is missing")]);
    await enter(console, "a-wrong-one");
    await console.page.waitForFunction(
      `document.getElementById("key-reason").textContent === "the API key is not known"`,
    );
    await enter(console, KEY);
    await console.loaded();
    expect(await console.texts("#key-note")).toEqual(["set for this tab"]);
    await console.choose("openai/gpt-4o");
    await console.ask("Hello");
    expect(await console.last(".slip .amount")).toBe("$0.00032");
    expect(both.log.events.at(-1)).toMatchObject({ principal: "team" });
  });

  test("lives in this tab's session, and in no address, cookie or lasting store", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await enter(console, KEY);
    await console.loaded();
    await console.page.reload();
    await console.loaded();
    expect(await console.page.evaluate("sessionStorage.getItem('llmgateway.key')")).toBe(KEY);
    expect(await console.page.evaluate("[localStorage.length, document.cookie]")).toEqual([0, ""]);
    const urls = console.requests.map((request) => request.url());
    expect([...urls, console.page.url()].filter((url) => url.includes(KEY))).toEqual([]);
    expect(JSON.stringify(both.log.events)).not.toContain(KEY);

    await console.page.click("#key-open");
    await console.page.waitForSelector("#key-dialog[open]");
    await console.page.$eval("#key", (field) => (field as { select(): void }).select());
    await console.page.keyboard.press("Delete");
    await console.page.keyboard.press("Enter");
    await console.page.waitForFunction("sessionStorage.getItem('llmgateway.key') === null");
  });

  test("goes with the call that lacked it", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await console.page.waitForSelector("#key-dialog[open]");
    await console.page.keyboard.press("Escape");
    await console.page.waitForSelector("#key-dialog:not([open])");
    await console.send("Hello");
    await enter(console, KEY);
    await console.page.waitForSelector(".slip[data-state=settled]");
    expect(await console.last(".said")).toContain('This is the answer to "Hello".');
    expect(await console.texts(".turn")).toHaveLength(1);
  });
});
