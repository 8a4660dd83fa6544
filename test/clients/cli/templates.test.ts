/** `llmgateway templates`, and calls that are made of them, against a gateway. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { start } from "../../support/command.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-cli-"));
const file = join(folder, "text.txt");
let both: GatewayUnderTest;

beforeAll(async () => {
  writeFileSync(file, "\ufeff{{lang}} — from a file\n");
  both = await startBoth({
    templates: {
      greet: { prompt: "One {{text}}", model: "openai/gpt-4o" },
      "greet@2": {
        description: "Greets.",
        messages: [
          { role: "system", content: "Speak {{lang}}." },
          { role: "user", content: "{{text}}" },
        ],
        model: "openai/gpt-4o-mini",
        variables: { lang: { type: "enum", values: ["en", "de"], default: "en" }, text: {} },
      },
    },
  });
});

afterAll(async () => {
  await both[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const run = (...args: string[]) => start(...args, "--url", both.url).end();

it("lists them, and tells all of one", async () => {
  const { stdout } = await run("templates");
  expect(stdout).toMatch(/^TEMPLATE +LATEST +MODEL +VARIABLES +DESCRIPTION\n/);
  expect(stdout).toMatch(
    /\ngreet@1 +openai\/gpt-4o +text\ngreet@2 +yes +openai\/gpt-4o-mini +lang, text +Greets\.\n$/,
  );
  const one = (await run("templates", "greet")).stdout;
  expect(one).toMatch(/greet@2 \(latest\)\n/);
  expect(one).toMatch(/\nlang +en, de +"en"\n/);
  expect(one).toContain("system: Speak {{lang}}.\nuser: {{text}}\n");
  const { templates } = JSON.parse((await run("templates", "list", "greet", "--json")).stdout);
  expect(templates).toMatchObject([{ version: 1 }, { version: 2, latest: true }]);
});

it("fills one with what is typed and what is in a file, byte for byte", async () => {
  const filled = await run("templates", "render", "greet", "--var", `text=@${file}`, "--var", "lang=de");
  expect(filled).toMatchObject({
    status: 0,
    stdout: "system: Speak de.\nuser: \ufeff{{lang}} — from a file\n\n",
    stderr: "greet@2 · openai/gpt-4o-mini\n",
  });
  const other = await run("templates", "render", "greet", "--template-version", "1", "--var", "text=@@a=b");
  expect(other.stdout).toBe("user: One @a=b\n");
});

it("has a chat, a dry run and a job made of one", async () => {
  const from = ["--template", "greet", "--var", `text=@${file}`];
  const reply = JSON.parse((await run("chat", ...from, "--json")).stdout);
  expect(reply).toMatchObject({ model: "gpt-4o-mini", template: { name: "greet", version: 2 } });
  expect((await run("chat", ...from, "And?", "--dry-run")).stdout).toMatch(/\ntemplate +greet@2\n/);
  const job = await run("jobs", "submit", ...from, "--template-version", "1", "--json");
  expect(JSON.parse(job.stdout).model).toBe("openai/gpt-4o");
});

it.each([
  [["chat"], /give the message, or a template by --template/],
  [["jobs", "submit"], /give the message or --template, or a request by --file/],
  [["chat", "--template", "greet", "--var", "text"], /It must be a name and a value/],
  [["chat", "--template", "greet", "--var", "text=@/not/there"], /^--var text: \/not\/there: ENOENT/],
  [["chat", "--template", "greet"], /variables\.text: is missing; the template greet@2 needs it/],
  [["templates", "nobody"], /name: there is no such template/],
])("%j is refused, and says what is wrong", async (args, message) => {
  const { status, stderr } = await run(...args);
  expect(status).toBe(1);
  expect(stderr).toMatch(message);
});
