/** Templates in the configuration and beside it: what is wrong is told by its file and path before anything is served. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it, test, vi } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { loadConfig } from "../../src/config/load.ts";
import { configPaths } from "../../src/config/templates.ts";
import { UNCHANGED_MS, watchConfig } from "../../src/config/watch.ts";
import { Failure } from "../../src/core/failure.ts";
import { Templates } from "../../src/templates/templates.ts";
import { VirtualClock } from "../support/clock.ts";
import { failureOf } from "../support/failure.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "llmgateway-templates-"));
  file = join(folder, "gateway.yaml");
  writeFileSync(file, "");
});

afterEach(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): void {
  mkdirSync(join(folder, "templates"), { recursive: true });
  writeFileSync(join(folder, "templates", name), text);
}

function load(templates: object = {}) {
  writeFileSync(file, JSON.stringify({ templates }));
  return loadConfig({ file, env: {} }).templates;
}

function problems(templates: object = {}): string[] {
  try {
    load(templates);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ source, path, description }) =>
      [relative(folder, source), path, description].join(": "),
    );
  }
}

describe("a template that cannot be used is named by its path", () => {
  const HELLO = { prompt: "Hello {{name}}" };
  const bad = (rest: object, prompt = "{{a}}") => ({ t: { prompt, ...rest } });

  test.each<[what: string, templates: object, expected: RegExp]>([
    ["no text", { t: {} }, /^templates\.t: must have either a prompt or messages$/],
    ["two texts", bad({ messages: [{ role: "user", content: "x" }] }), /^templates\.t: must have either/],
    ["an open placeholder", bad({}, "x\n  {{a"), /^templates\.t\.prompt: line 2, column 3: .*not closed/],
    ["a placeholder without a name", bad({}, "{{}}"), /^templates\.t\.prompt: line 1, column 1: .*no name/],
    ["a placeholder that reckons", bad({}, "{{a.b}}"), /^templates\.t\.prompt: line 1, column 1: .*no name/],
    ["a placeholder in another", bad({}, "{{a{{b}}}}"), /^templates\.t\.prompt: line 1, column 1: .*no name/],
    [
      "one in a message",
      {
        t: {
          messages: [
            { role: "user", content: "x" },
            { role: "user", content: "{{a b}}" },
          ],
        },
      },
      /^templates\.t\.messages\[1\]\.content: line 1/,
    ],
    [
      "one in a part",
      { t: { messages: [{ role: "user", parts: [{ text: "{{-}}" }] }] } },
      /^templates\.t\.messages\[0\]\.parts\[0\]\.text: line 1/,
    ],
    [
      "a role that there is not",
      { t: { messages: [{ role: "root", content: "x" }] } },
      /^templates\.t\.messages\[0\]\.role/,
    ],
    [
      "a variable that is not declared",
      bad({ variables: { b: {} } }, "{{a}}{{b}}"),
      /^templates\.t\.prompt: names the variable a, .* there are b$/,
    ],
    [
      "a variable that is not used",
      bad({ variables: { a: {}, b: {} } }),
      /^templates\.t\.variables\.b: is named by no text/,
    ],
    [
      "a name of a variable that cannot be",
      bad({ variables: { "a-b": {} } }, "x"),
      /^templates\.t\.variables\.a-b: its name /,
    ],
    [
      "a type that there is not",
      bad({ variables: { a: { type: "date" } } }),
      /^templates\.t\.variables\.a\.type/,
    ],
    [
      "a default of another type",
      bad({ variables: { a: { type: "integer", default: 1.5 } } }),
      /^templates\.t\.variables\.a\.default: must be a whole number/,
    ],
    [
      "a default that is too long",
      bad({ variables: { a: { max_length: 2, default: "abc" } } }),
      /^templates\.t\.variables\.a\.default: is longer than 2/,
    ],
    [
      "a default without a value",
      bad({ variables: { a: { default: null } } }),
      /^templates\.t\.variables\.a\.default: has no value/,
    ],
    [
      "a default beside required",
      bad({ variables: { a: { required: true, default: "x" } } }),
      /^templates\.t\.variables\.a\.required/,
    ],
    [
      "an enum of nothing",
      bad({ variables: { a: { type: "enum" } } }),
      /^templates\.t\.variables\.a\.values: is missing/,
    ],
    [
      "values of no enum",
      bad({ variables: { a: { values: ["x"] } } }),
      /^templates\.t\.variables\.a\.values: is for the type enum/,
    ],
    [
      "tokens twice",
      bad({ max_tokens: 5, parameters: { max_tokens: 6 } }),
      /^templates\.t\.max_tokens: is also given/,
    ],
    [
      "a parameter that cannot be",
      bad({ parameters: { temperature: 3 } }),
      /^templates\.t\.parameters\.temperature/,
    ],
    [
      "what cannot be overridden",
      bad({ overridable: ["model", "prompt"] }),
      /^templates\.t\.overridable\[1\]: must be one of model, parameters, parameters\.temperature/,
    ],
    ["a field that there is not", bad({ promt: "x" }), /^templates\.t\.promt: unknown field/],
    ["a name that cannot be", { "a b": HELLO }, /^templates\["a b"\]: its name /],
    ["the version 0", { "a@0": HELLO }, /^templates\["a@0"\]: its name /],
    ["one version twice", { a: HELLO, "a@1": HELLO }, /^templates\.a: is version 1, as "a@1" is/],
  ])("%s", (_, templates, expected) => {
    const found = problems(templates);
    expect(found).toHaveLength(1);
    expect(found[0]?.replace(/^gateway\.yaml: /, "")).toMatch(expected);
  });
});

describe("files beside the configuration", () => {
  it("are templates, by their names", () => {
    put("summarize.yaml", "prompt: One {{text}}\nmax_tokens: 200");
    put("summarize@2.yaml", "prompt: Two {{text}}");
    put("summarize.3.yml", "prompt: Three {{text}}");
    put("README.md", "not one");
    put("..data.yaml", "nor: this");
    const templates = load({ greet: { prompt: "Hello" } });
    expect(Object.keys(templates).sort()).toEqual(["greet", "summarize", "summarize@2", "summarize@3"]);
    expect(new Templates(templates).all.map(({ name, version }) => `${name}@${version}`)).toEqual([
      "greet@1",
      "summarize@1",
      "summarize@2",
      "summarize@3",
    ]);
  });

  it("tell what is wrong by their own paths, all at once", () => {
    put("a.yaml", "prompt: '{{'");
    put("b.yaml", "promt: x");
    put("c.yaml", "prompt: [");
    put("d e.yaml", "prompt: x");
    put("greet.yaml", "prompt: x");
    const found = problems({ greet: { prompt: "Hello" } });
    expect(found).toEqual([
      expect.stringMatching(/^templates\/b\.yaml: promt: unknown field/),
      expect.stringMatching(/^templates\/c\.yaml: : line 1, column 10/),
      expect.stringMatching(/^templates\/greet\.yaml: : there is another template "greet"; keep one/),
      expect.stringMatching(/^templates\/d e\.yaml: : its name /),
      expect.stringMatching(/^templates\/a\.yaml: prompt: line 1, column 1: opens a placeholder/),
    ]);
  });

  it("are watched: one that changes, that comes and that goes, and a folder that was not there", async () => {
    const seen: string[][] = [];
    const failed: unknown[] = [];
    const clock = new VirtualClock();
    const watching = watchConfig({
      paths: () => configPaths(file),
      load: () => Object.keys(loadConfig({ file, env: {} }).templates).sort(),
      onLoaded: (names) => void seen.push(names),
      onFailed: (error) => void failed.push(error),
      intervalMs: 10,
      clock,
    });
    // The first look at a file must have been taken before a change can be seen.
    const loaded = async (write: () => void) => {
      await vi.waitFor(
        () => {
          if (clock.pending === 0) write();
          expect(clock.pending).toBe(1);
        },
        { timeout: 15_000, interval: 10 },
      );
      await clock.advance(UNCHANGED_MS);
    };
    try {
      await loaded(() => writeFileSync(file, `# ${Math.random()}`));
      expect(seen).toEqual([[]]);
      await loaded(() => put("a.yaml", "prompt: x"));
      expect(seen.at(-1)).toEqual(["a"]);
      await loaded(() => put("a.yaml", "prompt: '{{'"));
      expect(failed).toEqual([expect.any(ConfigError)]);
      await loaded(() => {
        put("a.yaml", "prompt: mended");
        put("b@2.yaml", "prompt: y");
      });
      expect(seen.at(-1)).toEqual(["a", "b@2"]);
      await loaded(() => rmSync(join(folder, "templates", "a.yaml"), { force: true }));
      expect(seen.at(-1)).toEqual(["b@2"]);
    } finally {
      watching.close();
    }
  });
});

describe("a name", () => {
  const find = (name: string, version = 0) => {
    const text = { prompt: "x" };
    const templates = new Templates(load({ b: text, "a@2": text, "a@10": text, a: text }));
    return templates.find(name, version, { name: "template", version: "template_version" });
  };

  it("means the latest version, or the one that is said", () => {
    expect(find("a").version).toBe(10);
    expect(find("a", 2).version).toBe(2);
    expect(find("a@1").version).toBe(1);
    expect(find("a@2", 2).version).toBe(2);
  });

  test.each([
    ["c", 0, "not_found", "template: there is no such template; there are a, b"],
    ["__proto__", 0, "not_found", "template: there is no such template; there are a, b"],
    ["a@3", 0, "not_found", "template: the template a has no version 3; there are 1, 2, 10"],
    ["a@0", 0, "not_found", "template: the template a has no version 0; there are 1, 2, 10"],
    ["a", 4, "not_found", "template_version: the template a has no version 4; there are 1, 2, 10"],
    [
      "a@1",
      2,
      "invalid_request",
      "template_version: is not the version that template names; leave one of them out",
    ],
  ])("%s, version %i, is %s", (name, version, kind, message) => {
    const failure = failureOf(() => find(name, version));
    expect(failure).toBeInstanceOf(Failure);
    expect([failure.kind, failure.message]).toEqual([kind, message]);
  });
});
