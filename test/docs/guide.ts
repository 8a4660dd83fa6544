/** Does what a guide says, block by block, and compares what it prints with what the guide promises. */
import { expect } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import type { Block } from "./page.ts";
import type { Shell } from "./shell.ts";

type Output = (isComplete: (sofar: string) => boolean) => Promise<string>;

/** Whether there is anything in a block to try. */
export function isSample({ language, marks }: Block): boolean {
  return language === "sh" ? marks.size > 0 : ["json", "yaml", "ts"].includes(language);
}

/** Without a server of its own a guide talks to the demo. */
export async function follow(shell: Shell, blocks: readonly Block[]): Promise<void> {
  const has = (mark: string) => blocks.some(({ marks }) => marks.has(mark));
  if (!has("serve") && (has("run") || has("request"))) await shell.serve("npm run demo");
  let output: Output | undefined;
  for (const block of blocks.filter(({ marks }) => marks.size > 0)) {
    if (block.marks.has("output")) await compare(block, output);
    else output = await attempt(shell, block);
  }
  for (const { language, text } of blocks) {
    if (language === "yaml") loadConfig({ file: shell.write("sample.yaml", text), env: {} });
  }
}

async function attempt(shell: Shell, { place, marks, text }: Block): Promise<Output | undefined> {
  const file = marks.get("file");
  if (file) shell.write(file, text);
  if (marks.has("serve")) {
    // The test runs in a checkout that is installed already.
    await shell.serve(text.replace("npm ci && ", ""));
    return (isComplete) => shell.served(isComplete);
  }
  if (marks.has("run")) return run(shell, place, text, marks.get("needs"));
  if (marks.has("request")) expect(await post(shell.port, text), place).toBe(200);
  return undefined;
}

async function run(shell: Shell, place: string, command: string, tool?: string): Promise<Output | undefined> {
  const isMissing = tool && (await shell.run(`command -v ${tool}`)).status !== 0;
  if (isMissing && process.env.CI !== "true") {
    console.log(`${place} is not run: ${tool} is not installed`);
    return undefined;
  }
  const { status, output } = await shell.run(command);
  expect(status, `${place}\n${command}\n${output}\n${shell.end}`).toBe(0);
  return async () => output;
}

async function compare({ place, language, text }: Block, output: Output | undefined): Promise<void> {
  if (!output) return;
  const actual = plain(await output((sofar) => missing(sofar, text).length === 0));
  if (language === "json") expect(JSON.parse(actual), place).toMatchObject(JSON.parse(plain(text)));
  else expect(missing(actual, text), `${place}, where it printed:\n${actual}`).toEqual([]);
}

/** The lines that were promised and did not come, in their order; … stands for anything. */
function missing(actual: string, promised: string): string[] {
  const lines = plain(actual).split("\n");
  return plain(promised)
    .split("\n")
    .filter((line) => {
      const pattern = new RegExp(`^${line.split("…").map(RegExp.escape).join(".*")}$`);
      const at = lines.findIndex((candidate) => pattern.test(candidate));
      lines.splice(0, at + 1);
      return at < 0;
    });
}

/** Without what is different in every run: ids, ports and durations, and the line ends of HTTP. */
function plain(text: string): string {
  return text
    .replaceAll("\r", "")
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID")
    .replaceAll(/(localhost|127\.0\.0\.1):\d+/g, "HOST:PORT")
    .replaceAll(/"((?:latency|first_event)_ms)":\s*\d+/g, '"$1":0');
}

async function post(port: number, body: string): Promise<number> {
  const headers = { "content-type": "application/json" };
  const reply = await fetch(`http://127.0.0.1:${port}/v1/gateway/chat`, { method: "POST", headers, body });
  await reply.text();
  return reply.status;
}
