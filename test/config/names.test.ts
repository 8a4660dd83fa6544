/** What the configuration names must be there: each thing that is not is told with its path and the fix. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/error.ts";
import { loadConfig } from "../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-config-"));
const file = join(folder, "gateway.yaml");
afterAll(() => rmSync(folder, { recursive: true }));

function problems(yaml: string): string[] {
  writeFileSync(file, yaml);
  try {
    loadConfig({ file, env: {} });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ path, description }) => `${path}: ${description}`);
  }
}

const NOBODY =
  "names no configured provider; there are openai, claude, gemini, mistral, vertex_ai, bedrock, mock";

describe("refuses", () => {
  it.each([
    [
      "an alias that hides a provider",
      "aliases: {openai: {targets: [{target: claude}]}}",
      ["aliases.openai: is the name of a provider; give the alias another"],
    ],
    [
      "an alias of nobody",
      "aliases: {fast: {targets: [{target: openai}, {target: acme/x}]}}",
      [`aliases.fast.targets[1].target: ${NOBODY}`],
    ],
    [
      "an alias of an alias",
      "aliases: {a: {targets: [{target: openai}]}, b: {targets: [{target: a}]}}",
      [`aliases.b.targets[0].target: ${NOBODY}`],
    ],
    [
      "an alias whose targets have no weight",
      "aliases: {fast: {targets: [{target: openai, weight: 0}]}}",
      ["aliases.fast.targets: all have the weight 0; give one of them more"],
    ],
    [
      "rules of the cache for nobody, for a provider without a model, and for half a name",
      "aliases: {fast: {targets: [{target: openai}]}}\ncache: {families: {fast: {ttl: 1s}, acme/x: {}, openai: {}, openai/: {}, openai/gpt-4o: {}}}",
      [
        'cache.families["acme/x"]: names neither an alias nor a model of a configured provider; there are fast, openai/MODEL, claude/MODEL, gemini/MODEL, mistral/MODEL, vertex_ai/MODEL, bedrock/MODEL, mock/MODEL',
        "cache.families.openai: names no model; give openai/MODEL",
        'cache.families["openai/"]: names no model; give openai/MODEL',
      ],
    ],
    [
      "a pattern that is none",
      "cache: {sensitive_patterns: [a+, '(', '(?=a)']}",
      [
        "cache.sensitive_patterns[1]: is no regular expression of RE2, which has no look-around and no back-references: error parsing regexp: missing closing ): `(`",
        "cache.sensitive_patterns[2]: is no regular expression of RE2, which has no look-around and no back-references: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
      ],
    ],
    [
      "a chain of nobody",
      "fallback_chains: {default: [openai, acme/x]}",
      [`fallback_chains.default[1]: ${NOBODY}`],
    ],
    [
      "a chain of numbers",
      "fallback_chains: {default: [openai, 4, {openai: gpt-4o}]}",
      [
        'fallback_chains.default[1]: must be a string, such as "openai/gpt-4o"',
        'fallback_chains.default[2]: must be a string, such as "openai/gpt-4o"',
      ],
    ],
    [
      "a chain that requests cannot name",
      "fallback_chains: {none: [openai]}",
      ["fallback_chains.none: is what a request says for no chain; give it another name"],
    ],
    [
      "a policy that prefers nobody, or what no model can have",
      "routing_policies: {p: {prefer: [acme], capabilities: [telepathy]}}",
      [
        expect.stringMatching(
          /^routing_policies\.p\.capabilities\[0\]: "telepathy" is no capability; there are chat,/,
        ),
        `routing_policies.p.prefer[0]: ${NOBODY}`,
      ],
    ],
    ["a task for nobody", "task_types: {songs: acme}", [`task_types.songs: ${NOBODY}`]],
    [
      "a provider whose model nobody knows",
      "{providers: {local: {kind: openai_compatible, base_url: 'http://localhost/v1'}}, task_types: {songs: local}}",
      ["task_types.songs: names no model, and local has no default_model; give local/MODEL"],
    ],
  ])("%s", (_, yaml, told) => {
    expect(problems(yaml)).toEqual(told);
  });
});

it("lets policies and tasks name aliases, and chains and tasks those who are off", () => {
  const yaml = `
    aliases: {fast: {targets: [{target: openai/gpt-4o-mini}]}}
    routing_policies: {p: {prefer: [fast, claude]}}
    task_types: {songs: fast, poems: bedrock}
    fallback_chains: {default: [vertex_ai, gemini/gemini-2.5-flash]}`;
  expect(problems(yaml)).toEqual([]);
});
