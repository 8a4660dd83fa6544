/** What models say, at a terminal and elsewhere. */
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { chat } from "../../../clients/cli/chat.ts";
import { printResult, watch } from "../../../clients/cli/jobs.ts";
import { print } from "../../../clients/cli/text.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { jobsAt } from "../../support/job-callers.ts";

let both: GatewayUnderTest;

beforeAll(async () => {
  both = await startBoth();
});

afterAll(() => both[Symbol.asyncDispose]());

// Titles the window, fills the clipboard, and clears the screen, also by the control character of one byte.
const MESSAGE = "one\u001b]0;title\u0007\u001b]52;c;cGF3bmVk\u0007\u001b[2J\u009b2Jtwo";
const PLAIN = "one]0;title]52;c;cGF3bmVk[2J2Jtwo";
const ASKED = { model: "openai/gpt-4o", modelVersion: "", json: false };

/** What commands write to standard output meanwhile. */
function written(isTTY: boolean): () => string {
  const texts: string[] = [];
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => texts.push(String(text)) > 0);
  const silent = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  const before = Object.getOwnPropertyDescriptor(process.stdout, "isTTY");
  Object.defineProperty(process.stdout, "isTTY", { value: isTTY, configurable: true, writable: true });
  onTestFinished(() => {
    spy.mockRestore();
    silent.mockRestore();
    Object.defineProperty(process.stdout, "isTTY", before ?? { value: undefined, configurable: true });
  });
  return () => texts.join("");
}

const WAYS: Readonly<Record<string, () => Promise<number>>> = {
  chat: () => chat(MESSAGE, { ...ASKED, url: both.url, stream: false }),
  "chat, streamed": () => chat(MESSAGE, { ...ASKED, url: both.url, stream: true }),
  "jobs watch and result": async () => {
    const request = { messages: [{ role: "user", content: MESSAGE }], model: ASKED.model };
    const { jobId } = await jobsAt(both.url).submitJob(request);
    const options = { url: both.url, json: false };
    return (await watch(jobId, options)) || printResult(jobId, options);
  },
};

test.each(Object.keys(WAYS))("%s tells a terminal nothing but words, and others all of it", async (way) => {
  for (const isTTY of [true, false]) {
    const shown = written(isTTY);
    expect(await WAYS[way]?.()).toBe(0);
    expect(shown()).toContain(`"${isTTY ? PLAIN : MESSAGE}"`);
    if (isTTY) expect(shown()).not.toMatch(/(?!\n)\p{Cc}/u);
  }
});

test("lines and columns stay as they are", () => {
  const shown = written(true);
  print("one\ttwo\r\nthree");
  expect(shown()).toBe("one\ttwo\nthree");
});
