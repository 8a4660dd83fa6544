/** What the console shows of calls that fail, are stopped, or are answered by someone hostile. */
import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildConsole } from "../../../ops/build-console.mts";
import { canBrowse, launch } from "../../support/browser.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { type Held, startUpstream, type Upstream } from "../../support/upstream.ts";
import { ConsolePage } from "./page.ts";

describe.runIf(canBrowse("what the console shows of failures"))("a call that", () => {
  let upstream: Upstream;
  let both: GatewayUnderTest;
  let browser: Browser;
  beforeAll(async () => {
    await buildConsole();
    upstream = await startUpstream();
    const held = { kind: "openai_compatible", base_url: upstream.url, models: ["gpt-4o"], prices: "openai" };
    both = await startBoth({ providers: { held } });
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    await both[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  async function open(model = "openai/gpt-4o"): Promise<ConsolePage> {
    const console = await ConsolePage.open(browser, both.url);
    await console.loaded();
    await console.choose(model);
    return console;
  }

  /** Whoever asks before it whether the provider is there hears that it has no list of models. */
  async function nextChat(): Promise<Held> {
    const held = await upstream.next();
    if (held.response.req.method === "POST") return held;
    held.response.writeHead(404).end();
    return nextChat();
  }

  test("the provider refuses is told with its kind, when to try again, and its receipt", async () => {
    await using console = await open();
    await console.ask("[[emulate: status=429 retry_after=2]] Hello");
    expect(await console.last(".failure .message")).toBe(
      "the provider limits the rate of the gateway's requests",
    );
    expect(await console.last(".failure .kind")).toBe("provider_rate_limited · ResourceExhausted");
    expect(await console.last(".failure .actions")).toContain("worth trying again in 2 s");
    expect(await console.last(".slip .amount")).toBe("$0.00");
    expect(await console.last(".slip .attempts")).toContain("failed: provider_rate_limited");
    const asked = both.emulator.meter.totals().requests;
    expect(asked).toBeGreaterThan(0);

    await console.page.click(".failure button");
    await console.over();
    expect(both.emulator.meter.totals().requests).toBe(asked + 1);
    expect(await console.texts(".turn")).toHaveLength(1);
    expect(await console.texts("#total-note")).toEqual(["in 2 calls"]);
    // What failed is no part of the conversation.
    await console.ask("Hello");
    expect(await console.last(".slip .amount")).toBe("$0.00032");
  });

  test("is wrong is told by the label of its field", async () => {
    await using console = await open();
    await console.type("temperature", "9");
    await console.ask("Hello");
    expect(await console.last(".failure .kind")).toBe("invalid_request · InvalidArgument");
    expect(await console.last(".failure .message")).toBe("The gateway does not accept the request");
    expect(await console.last(".violations dt")).toBe("Temperature");
    expect(await console.last(".violations dd")).toContain("2");
    expect(await console.texts(".slip")).toEqual([]);
    expect(await console.texts("#total")).toEqual(["$0.00"]);
  });

  test("breaks off keeps what was said, and says what it cost", async () => {
    await using console = await open();
    await console.ask("[[emulate: cut=3]] Hello");
    expect(await console.last(".said")).toBe("This is the");
    expect(await console.last(".failure .kind")).toMatch(/^cut · /);
    expect(await console.last(".slip .tag")).toBe("estimated");
    expect(Number((await console.last(".slip .amount")).slice(1))).toBeGreaterThan(0);
    expect(await console.texts("#total")).toEqual([`≈ ${await console.last(".slip .amount")}`]);
  });

  test("is stopped ends at the provider, and says what was spent by then", async () => {
    await using console = await open("held/gpt-4o");
    await console.send("Go on");
    const held = await nextChat();
    held.say("One");
    held.say(" two");
    await console.page.waitForFunction(`document.querySelector(".said")?.textContent === "One two"`);
    expect(await console.last(".slip .tag")).toBe("estimate");
    await console.page.click("#stop");
    await held.closed;
    await console.over();
    expect(await console.last(".answer > .note")).toBe("You stopped it here.");
    expect(await console.last(".slip .title")).toBe("Spent by then");
    expect(await console.last(".slip .tag")).toBe("estimated");
    const { Request: requestId = "" } = await console.figures();
    const event = await both.log.about(requestId);
    expect(event).toMatchObject({ outcome: "abandoned", provider: "held", provenance: "estimated" });
    expect(event.cost_usd).toBeGreaterThan(0);
    expect(await console.last(".slip .amount")).toMatch(/^\$0\.0000/);
    expect(await console.page.$eval(":focus", ({ id }) => id)).toBe("question");
  });

  test("is answered with markup shows it as the text that it is", async () => {
    await using console = await open("held/gpt-4o");
    const hostile = `<img src="x" onerror="document.title='taken'"><script>document.title='taken'</script>`;
    await console.send(hostile);
    const held = await nextChat();
    held.say(hostile);
    await console.page.waitForFunction(`document.querySelector(".said")?.textContent !== ""`);
    expect(await console.last(".said")).toBe(hostile);
    expect(await console.last(".asked")).toBe(hostile);
    expect(await console.texts(".turn img, .turn script")).toEqual([]);
    expect(await console.page.title()).toBe("llmgateway console");
    expect(console.requests.filter((request) => new URL(request.url()).pathname === "/x")).toEqual([]);

    // To begin anew stops it too, and forgets no cost.
    await console.page.click("#new-chat");
    await held.closed;
    await console.over();
    expect(await console.texts(".turn")).toEqual([]);
    expect(await console.texts("#total-note")).toEqual(["in 1 call"]);
  });

  test("finds no gateway says so, and owns that the cost is not known", async () => {
    await using console = await open();
    await console.page.setOfflineMode(true);
    await console.ask("Hello");
    expect(await console.last(".failure .kind")).toBe("gateway_unreachable · Unavailable");
    expect(await console.last(".slip .amount")).toBe("not known");
  });
});
