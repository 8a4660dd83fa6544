/** The console as its reader has it: in a real browser, with everything noted that it asks for and complains of. */
import type { Browser, HTTPRequest, Page } from "puppeteer-core";

export class ConsolePage implements AsyncDisposable {
  readonly page: Page;
  /** Every request, oldest first. */
  readonly requests: HTTPRequest[] = [];
  /** What the browser complained of: errors, refused loads, violations of the policy. */
  readonly problems: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("request", (request) => this.requests.push(request));
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("console", (message) => this.problems.push(`${message.type()}: ${message.text()}`));
    page.on("requestfailed", (request) => this.problems.push(`failed: ${request.url()}`));
  }

  /** In a session of its own, so that nothing is stored yet. */
  static async open(
    browser: Browser,
    url: string,
    viewport = { width: 1280, height: 800 },
  ): Promise<ConsolePage> {
    const context = await browser.createBrowserContext();
    const console = new ConsolePage(await context.newPage());
    await console.page.setViewport(viewport);
    await console.page.goto(url);
    return console;
  }

  /** Resolves once the models are there. */
  async loaded(): Promise<void> {
    await this.page.waitForSelector("#model optgroup");
  }

  async choose(model: string): Promise<void> {
    await this.page.select("#model", model);
  }

  async type(id: string, text: string): Promise<void> {
    await this.page.$eval(`#${id}`, (field) => {
      const folded = field.closest("details");
      if (folded) folded.open = true;
    });
    await this.page.type(`#${id}`, text);
  }

  /** Sends it by the Enter key. */
  async send(text: string): Promise<void> {
    await this.page.type("#question", text);
    await this.page.keyboard.press("Enter");
  }

  /** Sends it, and waits until the call is over. */
  async ask(text: string): Promise<void> {
    await this.send(text);
    await this.over();
  }

  async over(): Promise<void> {
    await this.page.waitForSelector("#send:not([hidden])");
  }

  /** What the last turn shows there; empty when it has no such element. */
  async last(selector: string): Promise<string> {
    const texts = await this.texts(`.turn:last-child ${selector}`);
    return texts.at(-1) ?? "";
  }

  async texts(selector: string): Promise<string[]> {
    return this.page.$$eval(selector, (elements) => elements.map(({ textContent }) => textContent ?? ""));
  }

  /** The figures of the last receipt, by their names. */
  async figures(): Promise<Record<string, string>> {
    const [names, values] = await Promise.all(
      ["dt", "dd"].map((tag) => this.texts(`.turn:last-child .slip ${tag}`)),
    );
    return Object.fromEntries((names ?? []).map((name, index) => [name, values?.[index] ?? ""]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.browserContext().close();
  }
}
