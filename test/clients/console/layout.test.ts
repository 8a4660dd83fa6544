/** How the console's page stands: on a narrow screen, in light and dark, and for those who do not see it. */
import type { Browser, SerializedAXNode } from "puppeteer-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildConsole } from "../../../ops/build-console.mts";
import { canBrowse, launch } from "../../support/browser.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { ConsolePage } from "./page.ts";

const NARROW = { width: 360, height: 740 };
const CONTROLS = ["textbox", "combobox", "spinbutton", "button", "DisclosureTriangle"];
const LONG = `${"unbroken".repeat(40)} <b>`;

/** Every text that is less than 4.5 times as bright as its ground, or the ground as it, by WCAG's formula. */
const FAINT = `(() => {
  const rgb = (color) => {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (color) => {
    const [r, g, b] = rgb(color).map((v) => (v / 255 <= 0.04045 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (backgroundColor !== "rgba(0, 0, 0, 0)") return backgroundColor;
    }
    return "white";
  };
  const faint = [];
  let looked = 0;
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if ((!own && !element.placeholder) || !element.checkVisibility()) continue;
    looked += 1;
    const style = getComputedStyle(element, element.placeholder && !own ? "::placeholder" : null);
    const [dark, light] = [luminance(style.color), luminance(ground(element))].sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) faint.push(element.tagName + "." + element.className + " " + ratio.toFixed(2));
  }
  return { looked, faint };
})()`;

describe.runIf(canBrowse("the console's layout"))("the page", () => {
  let both: GatewayUnderTest;
  let browser: Browser;
  beforeAll(async () => {
    await buildConsole();
    both = await startBoth();
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    await both[Symbol.asyncDispose]();
  });

  /** With an answer, a failure with violations, and everything unfolded. */
  async function full(viewport?: typeof NARROW): Promise<ConsolePage> {
    const console = await ConsolePage.open(browser, both.url, viewport);
    await console.loaded();
    await console.choose("openai/gpt-4o");
    await console.ask(LONG);
    await console.ask("[[emulate: status=429 retry_after=2]] Hello");
    await console.page.$$eval("details", (all) => {
      for (const details of all) details.open = true;
    });
    return console;
  }

  test("is never wider than a narrow screen, and its settings are a button away", async () => {
    await using console = await full(NARROW);
    const overflow = `[document.documentElement, ...document.querySelectorAll("body *")]
      .filter((element) => element.scrollWidth > element.clientWidth && !["INPUT", "SELECT", "PRE"].includes(element.tagName))
      .filter((element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX) || element === document.documentElement)
      .map(({ tagName, id, className }) => tagName + "#" + id + "." + className)`;
    expect(await console.page.evaluate(overflow)).toEqual([]);
    expect(await console.page.evaluate("document.documentElement.scrollWidth")).toBe(NARROW.width);
    expect(await console.page.$eval("#settings", (form) => form.checkVisibility())).toBe(false);
    const toggle = await console.page.waitForSelector("#settings-toggle");
    await toggle?.click();
    expect(await console.page.$eval("#settings", (form) => form.checkVisibility())).toBe(true);
    expect(await toggle?.evaluate(({ ariaExpanded }) => ariaExpanded)).toBe("true");
    expect(await console.page.evaluate(overflow)).toEqual([]);
  });

  test("names every control, and tells the answer when it is whole", async () => {
    await using console = await full();
    const controls: SerializedAXNode[] = [];
    const walk = (node: SerializedAXNode) => {
      if (CONTROLS.includes(node.role)) controls.push(node);
      node.children?.forEach(walk);
    };
    const tree = await console.page.accessibility.snapshot();
    if (tree) walk(tree);
    expect(controls.length).toBeGreaterThan(12);
    expect(controls.filter(({ name }) => !name)).toEqual([]);
    const live = await console.page.$eval(".said", ({ ariaLive, ariaBusy }) => [ariaLive, ariaBusy]);
    expect(live).toEqual(["polite", "false"]);
  });

  test.each(["light", "dark"])("can be read in %s", async (scheme) => {
    await using console = await full();
    await console.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    const ground = await console.page.evaluate("getComputedStyle(document.body).backgroundColor");
    expect(ground).toBe(scheme === "light" ? "rgb(246, 245, 241)" : "rgb(20, 21, 19)");
    const { looked, faint } = (await console.page.evaluate(FAINT)) as { looked: number; faint: string[] };
    expect(looked).toBeGreaterThan(50);
    expect(faint).toEqual([]);
  });
});
