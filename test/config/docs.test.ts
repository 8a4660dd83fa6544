import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ConfigSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { configurationPage, environmentExample, parseMessages } from "../../ops/generate/config-docs.mts";
import { loadConfig } from "../../src/config/load.ts";
import { ENVIRONMENT } from "../../src/config/variables.ts";

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string) => readFileSync(at(path), "utf8");
const proto = read("proto/llmgateway/config/v1/config.proto");

describe("docs/configuration.md", () => {
  it("is up to date", () => {
    expect(read("docs/configuration.md")).toBe(
      configurationPage(
        proto,
        read("proto/llmgateway/v1/template.proto"),
        read("docs/configuration.example.yaml"),
      ),
    );
  });

  it("has every field of every message, with its comment", () => {
    const messages = parseMessages(proto);
    const page = read("docs/configuration.md");
    const { file } = ConfigSchema;
    expect([...messages.keys()]).toEqual(file.messages.map((message) => message.name));
    for (const { name, fields } of file.messages) {
      const documented = messages.get(name)?.fields ?? [];
      expect(documented.map((field) => field.name)).toEqual(fields.map((field) => field.name));
      for (const field of documented) {
        expect(field.doc).not.toBe("");
        expect(page).toContain(`| \`${field.name}\` |`);
      }
    }
  });

  it("shows an example that loads", () => {
    const config = loadConfig({ file: at("docs/configuration.example.yaml"), env: {} });
    expect(Object.keys(config.providers)).toEqual([
      "openai",
      "claude",
      "gemini",
      "mistral",
      "vertex_ai",
      "bedrock",
      "mock",
      "azure",
      "local",
    ]);
  });
});

describe(".env.example", () => {
  const lines = read(".env.example").split("\n");

  it("is up to date", () => {
    expect(read(".env.example")).toBe(environmentExample());
  });

  it("has every variable with its line, and no other", () => {
    const assigned = lines.flatMap((line) => /^#?([A-Z_]+)=/.exec(line)?.[1] ?? []);
    expect(assigned).toEqual(ENVIRONMENT.map((variable) => variable.name));
    for (const { doc } of ENVIRONMENT) expect(lines).toContain(`# ${doc}`);
  });

  it("changes nothing, neither as it is nor with its defaults uncommented", () => {
    for (const assignment of [/^([A-Z_]+)=(.*)$/, /^#?([A-Z_]+)=(.*)$/]) {
      const env = Object.fromEntries(
        lines.flatMap((line) => {
          const [, name, value] = assignment.exec(line) ?? [];
          return name === undefined ? [] : [[name, value]];
        }),
      );
      expect(Object.keys(env)).toContain("OPENAI_API_KEY");
      expect(loadConfig({ env })).toEqual(loadConfig({ env: {} }));
    }
  });
});
