/** A person at the console, in a real Chromium. The page always streams, by gRPC-Web. */
import type { Browser } from "puppeteer-core";
import { buildConsole } from "../../../ops/build-console.mts";
import { chromiumPath, launch } from "../../support/browser.ts";
import { ConsolePage } from "../console/page.ts";
import { DEADLINE_MS, type MatrixClient, REQUESTS, type Scenario } from "./scenarios.ts";
import type { Partly } from "./told.ts";

export function chromium(): MatrixClient {
  let browser: Browser | undefined;
  return {
    name: "Chromium, the console",
    missing: () => (chromiumPath() === undefined ? "Chromium" : undefined),
    async prepare() {
      await buildConsole();
      browser = await launch();
    },
    async run(scenario, url) {
      if (!browser) throw new Error("the browser was not started");
      await using page = await ConsolePage.open(browser, url);
      await page.loaded();
      const told = await ask(page, scenario);
      return { requestId: await requestIdOn(page), ...told };
    },
    close: async () => browser?.close(),
  };
}

async function ask(page: ConsolePage, scenario: Scenario): Promise<Partly> {
  const { model, messages } = REQUESTS[scenario];
  await page.choose(model);
  if (scenario === "tool") await page.type("tools", JSON.stringify(REQUESTS.tool.tools));
  if (scenario === "deadline") await page.type("timeout", String(DEADLINE_MS));
  await page.send(messages[0]?.content ?? "");
  if (scenario === "abort") {
    await page.page.waitForFunction(`document.querySelector(".turn:last-child .said")?.textContent`);
    await page.page.click("#stop");
  }
  await page.over();
  return toldOn(page, scenario);
}

async function toldOn(page: ConsolePage, scenario: Scenario): Promise<Partly> {
  const [kind, code] = (await page.last(".failure .kind")).split(" · ");
  const wait = /in (\d+) s/.exec(await page.last(".failure .actions"))?.[1];
  const name = await page.last(".call strong");
  return {
    text: await page.last(".said"),
    tool: name ? { name, arguments: await page.last(".call pre") } : undefined,
    costPicoUsd: picoUsd(await page.last(".slip .amount")),
    // The reader's own Stop is no failure.
    kind: scenario === "abort" ? "cancelled" : kind,
    code: code?.replace(/(?<!^)[A-Z]/g, "_$&").toLowerCase(),
    retryAfterMs: wait === undefined ? undefined : Number(wait) * 1000,
  };
}

async function requestIdOn(page: ConsolePage): Promise<string> {
  return page.last(".slip code");
}

/** Of an amount with all its digits, such as `$0.00032`. */
function picoUsd(amount: string): string | undefined {
  const [, dollars = "", fraction = ""] = /^\$(\d+)\.(\d+)$/.exec(amount) ?? [];
  return dollars && String(BigInt(dollars + fraction.padEnd(12, "0")));
}
