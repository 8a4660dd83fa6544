/** Which canonical requests each provider is sent as its official SDK sends them, and which it is refused: one table. */
import { readdirSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { afterAll, describe, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { violatedBy } from "../support/failure.ts";
import { CANONICAL, type CanonicalName } from "./canonical.ts";
import { DIALECTS, type Spoken } from "./dialects.ts";

const names = Object.keys(CANONICAL) as CanonicalName[];
const providers = Object.entries(DIALECTS);

/** That it is the same is for the oracle tests to say, which read the same tables. */
function cell({ golden }: Spoken, name: CanonicalName): string {
  const entry = golden[name];
  return "refused" in entry ? `refused: ${entry.refused}` : "same as the SDK";
}

test("every provider of the sources is in it", () => {
  const entries = readdirSync(new URL("../../src/providers", import.meta.url), { withFileTypes: true });
  // What serves the batches of all of them is none.
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => name !== "batch");
  expect(Object.keys(DIALECTS).sort()).toEqual(folders.sort());
});

describe.each(providers)("the table tells the truth of %s:", (_, spoken) => {
  test("it has every canonical request, and no other", () => {
    expect(Object.keys(spoken.golden).sort()).toEqual([...names].sort());
  });

  test.each(names)("%s", (name) => {
    const { dialect, model, golden } = spoken;
    const encode = () =>
      dialect.encode(create(ChatRequestSchema, CANONICAL[name]), {
        model,
        stream: false,
        maxTokens: undefined,
      });
    const entry = golden[name];
    if ("refused" in entry) expect(violatedBy(encode)[0]).toBe(entry.refused);
    else expect(JSON.parse(encode().body)).toBeTypeOf("object");
  });
});

afterAll(() => {
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const lines = [
    row(["canonical request", ...providers.map(([name]) => name)]),
    row(["---", ...providers.map(() => "---")]),
    ...names.map((name) => row([name, ...providers.map(([, spoken]) => cell(spoken, name))])),
  ];
  console.log(lines.join("\n"));
});
