/** A conversation in the console, at a real gateway, in a real browser. */
import type { Browser } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildConsole } from "../../../ops/build-console.mts";
import { canBrowse, launch } from "../../support/browser.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { http1 } from "../../support/http.ts";
import { type ScriptedProvider, scriptedProvider } from "../../support/provider.ts";
import { ConsolePage } from "./page.ts";

describe.runIf(canBrowse("the conversation in the console"))("a conversation", () => {
  let thinker: ScriptedProvider;
  let both: GatewayUnderTest;
  let browser: Browser;
  beforeAll(async () => {
    await buildConsole();
    thinker = await scriptedProvider((reply) => {
      reply.writeHead(200, { "content-type": "text/event-stream" });
      const deltas = [{ reasoning_content: "Two and" }, { reasoning_content: " two." }, { content: "Four." }];
      for (const delta of deltas)
        reply.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`);
      const usage = {
        prompt_tokens: 9,
        completion_tokens: 7,
        completion_tokens_details: { reasoning_tokens: 5 },
        prompt_tokens_details: { cached_tokens: 4 },
      };
      const end = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage };
      reply.end(`data: ${JSON.stringify(end)}\n\ndata: [DONE]\n\n`);
    });
    both = await startBoth({
      providers: {
        thinker: { kind: "openai_compatible", base_url: `${thinker.origin}/v1`, models: ["deep"] },
      },
    });
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    await both[Symbol.asyncDispose]();
    await thinker[Symbol.asyncDispose]();
  });

  test("an answer of the cache says so, and what it saved", async () => {
    await using cached = await startBoth({ cache: { enabled: true } });
    for (const isFirst of [true, false]) {
      await using console = await ConsolePage.open(browser, cached.url);
      await console.loaded();
      await console.choose("openai/gpt-4o");
      await console.ask("Hello");
      expect(await console.last(".said")).toContain('This is the answer to "Hello".');
      expect(await console.last(".slip .tag")).toBe(isFirst ? "measured" : "cached");
      expect(await console.last(".slip .amount")).toBe(isFirst ? "$0.00032" : "$0.00");
      const figures = await console.figures();
      if (isFirst) expect(figures).not.toHaveProperty("Saved");
      else expect(figures).toMatchObject({ "From cache": "exact", Saved: "$0.00032" });
    }
  });

  test("the page loads without a complaint, and asks nobody but its gateway, then and later", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await console.loaded();
    await console.page.waitForSelector("#providers li");
    await console.choose("openai/gpt-4o");
    await console.ask("Hello");
    expect(await console.last(".said")).toContain('This is the answer to "Hello".');
    expect(await console.last(".slip .amount")).toBe("$0.00032");
    expect(console.problems).toEqual([]);
    const files = ["/", "/style.css", "/console.js", "/icon.svg"].map((path) => new URL(path, both.url).href);
    const asked = console.requests.map((request) => request.url());
    expect(asked).toEqual(expect.arrayContaining(files));
    expect(asked.filter((url) => new URL(url).origin !== both.url)).toEqual([]);
    const calls = console.requests.filter((request) => request.method() === "POST");
    expect(calls.map((request) => new URL(request.url()).pathname).sort()).toEqual(
      ["GetStatus", "ListModels", "Stream"].map((rpc) => `/llmgateway.v1.GatewayService/${rpc}`),
    );
    for (const call of calls) expect(call.headers()["content-type"]).toBe("application/grpc-web+proto");
    expect(both.log.events.at(-1)).toMatchObject({ method: "Stream", protocol: "grpc-web" });
  });

  test("models stand by provider with their prices, and providers with their status", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await console.loaded();
    const groups = await console.page.$$eval("#model optgroup", (all) => all.map(({ label }) => label));
    expect(groups).toEqual([
      "bedrock",
      "claude",
      "gemini",
      "mistral",
      "mock",
      "openai",
      "thinker",
      "vertex_ai",
    ]);
    await console.page.waitForFunction(`document.getElementById("model").value === "openai/gpt-4o-mini"`);
    await console.choose("openai/gpt-4o");
    expect(await console.texts("#prices dt")).toEqual(["In", "In, cached", "Out"]);
    expect(await console.texts("#prices dd")).toEqual(["$2.50", "$1.25", "$10.00"]);
    const models = await console.page.$$eval("#model option", (all) => all.map(({ value }) => value));
    expect(models.filter((model) => model.includes("embed"))).toEqual([]);
    await console.choose("thinker/deep");
    expect(await console.texts("#prices")).toEqual(["Its price is not known."]);
    await console.page.waitForSelector("#providers li");
    expect(await console.texts("#providers li")).toContain("openai available");
    expect(await console.texts("#gateway-note")).toEqual([
      expect.stringMatching(/^Gateway \d+\.\d+\.\d+, prices of/),
    ]);
  });

  test("words come one after the other, the running cost with them, and the receipt is that of a direct call", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await console.loaded();
    await console.choose("openai/gpt-4o");
    // Noted in the page at each change, since no look from outside is quick enough for all of them.
    await console.page.evaluate(`
      globalThis.seen = [];
      new MutationObserver(() => {
        const text = (selector) => document.querySelector(selector)?.textContent ?? "";
        globalThis.seen.push([text(".said"), text(".slip .title"), text(".slip .tag"), text(".slip .amount"), text("#total")]);
      }).observe(document.body, { childList: true, subtree: true, characterData: true });
    `);
    await console.ask("[[emulate: interval_ms=15]] Hello");
    const seen = (await console.page.evaluate("globalThis.seen")) as [
      string,
      string,
      string,
      string,
      string,
    ][];
    const running = seen.filter(([, title, , amount]) => title === "Running cost" && amount !== "…");
    const texts = new Set(running.map(([text]) => text));
    const amounts = [...new Set(running.map(([, , , amount]) => Number(amount.slice(1))))];
    expect(texts.size).toBeGreaterThan(10);
    expect(amounts.length).toBeGreaterThan(10);
    expect(amounts).toEqual(amounts.toSorted((a, b) => a - b));
    expect(new Set(running.map(([, , tag]) => tag))).toEqual(new Set(["estimate"]));
    expect(running.at(-1)?.[4]).toMatch(/^≈ \$0\.000/);

    const direct = await direct4o("[[emulate: interval_ms=15]] Hello");
    expect(await console.last(".said")).toBe(direct.response);
    expect(await console.last(".slip .title")).toBe("Cost");
    expect(await console.last(".slip .tag")).toBe("measured");
    expect(await console.last(".slip .amount")).toBe(`$${direct.cost.actual_usd}`);
    expect(await console.last(".slip .model")).toBe("openai/gpt-4o");
    expect(await console.last(".slip .attempts")).toContain("ok openai/gpt-4o-2024-08-06");
    expect(await console.figures()).toMatchObject({
      "Tokens in": String(direct.cost.input_tokens),
      "Tokens out": String(direct.cost.output_tokens),
      cached: "0",
      reasoning: "0",
      "First word": expect.stringMatching(/^\d+ ms$/),
      Latency: expect.stringMatching(/^(\d+ ms|\d+\.\d s)$/),
      "Prices of": direct.cost.price_version,
      Request: both.log.events.findLast(({ method }) => method === "Stream")?.request_id,
    });
    expect(await console.texts("#status")).toEqual([`Answered. Cost $${direct.cost.actual_usd}.`]);
  });

  test("a conversation goes on, its costs add up, and settings go along", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await console.loaded();
    await console.choose("openai/gpt-4o");
    await console.type("system", "Be brief.");
    await console.type("max-tokens", "7");
    await console.type("temperature", "0.5");
    await console.type("max-cost", "0.01");
    await console.page.type("#question", "First");
    await console.page.click("#send");
    await console.over();
    await console.page.type("#question", "Second\n");
    await console.over();
    expect(await console.last(".answer > .note")).toContain("most tokens");
    const costs = await console.texts(".slip .amount");
    const sum = costs.reduce((total, amount) => total + Math.round(Number(amount.slice(1)) * 1e12), 0);
    const [total = ""] = await console.texts("#total");
    expect(costs.length).toBe(2);
    expect(Math.round(Number(total.slice(1)) * 1e12)).toBe(sum);
    expect(await console.texts("#total-note")).toEqual(["in 2 calls"]);
    const said = (await console.texts(".said"))[0] ?? "";
    const same = await direct4o("", {
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "First" },
        { role: "assistant", content: said },
        { role: "user", content: "Second" },
      ],
      parameters: { max_tokens: 7, temperature: 0.5 },
      max_cost_usd: 0.01,
    });
    expect(await console.last(".said")).toBe(same.response);
    expect((await console.figures())["Tokens in"]).toBe(String(same.cost.input_tokens));
    expect((await console.figures())["Tokens out"]).toBe("7");

    await console.page.click("#new-chat");
    expect(await console.texts(".turn")).toEqual([]);
    expect(await console.texts("#total")).toEqual([total]);
  });

  test("thoughts are shown apart from the answer, and a price that is not known is not 0", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await console.loaded();
    await console.choose("thinker/deep");
    await console.ask("What is two and two?");
    expect(await console.last(".thoughts p")).toBe("Two and two.");
    expect(await console.last(".said")).toBe("Four.");
    expect(await console.figures()).toMatchObject({ cached: "4", reasoning: "5" });
    expect(await console.last(".slip .amount")).toBe("not known");
    expect(await console.texts("#total-note")).toEqual(["in 1 call, 1 of unknown cost"]);
  });

  test("a tool is called, the reader gives its result, and the answer goes on", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await console.loaded();
    await console.choose("openai/gpt-4o");
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    await console.type("tools", JSON.stringify([{ name: "get_weather", parameters }]));
    await console.ask("Please use get_weather");
    expect(await console.last(".call strong")).toBe("get_weather");
    const input = JSON.parse(await console.last(".call pre"));
    expect(input).toEqual({ city: expect.any(String) });
    await console.page.type(".call textarea", "Sunny");
    await console.page.click(".answer > button");
    await console.over();
    expect(await console.texts(".asked.results")).toEqual(["Sunny"]);
    expect(await console.texts(".answer > button")).toEqual([]);
    expect(await console.last(".said")).toContain("This is the answer");
    expect(await console.texts("#total-note")).toEqual(["in 2 calls"]);
  });

  test("what is no list of tools is not sent, and says so at its field", async () => {
    await using console = await ConsolePage.open(browser, both.url);
    await console.loaded();
    await console.type("tools", "{}");
    await console.send("Hello");
    const message = await console.page.$eval(
      "#tools",
      (field) => (field as { validationMessage: string }).validationMessage,
    );
    expect(message).toContain("must be a list");
    expect(await console.texts(".turn")).toEqual([]);
    expect(await console.page.$eval("#question", (field) => (field as { value: string }).value)).toBe(
      "Hello",
    );
  });

  async function direct4o(content: string, fields: object = { messages: [{ role: "user", content }] }) {
    const reply = await http1(
      `${both.url}/v1/gateway/chat`,
      JSON.stringify({ model: "openai/gpt-4o", ...fields }),
    );
    return JSON.parse(await reply.text());
  }
});
