/** `llmgateway chat --compare`: what it prints, beside each other and one after the other. */
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Columns } from "../../clients/cli/compare/columns.ts";
import { show } from "../../clients/cli/compare/compare.ts";
import { type CompareEvent, CompareEventSchema } from "../../gen/ts/llmgateway/v1/compare_pb.ts";
import { start } from "../support/command.ts";
import { startBoth } from "../support/gateway.ts";

describe("against a gateway", () => {
  it("prints each answer as it finishes, with its cost and time, and what they cost together", async () => {
    await using both = await startBoth();
    const run = (...args: string[]) => start("chat", "Hello", ...args, "--url", both.url).end();
    const { status, stdout, stderr } = await run("--compare", "openai/gpt-4o,claude", "--max-cost", "0.1");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    for (const name of ["openai/gpt-4o", "claude"])
      expect(stdout).toContain(`── ${name}\nThis is the answer`);
    expect(stdout).toMatch(
      /openai\/gpt-4o · \d+ in \+ \d+ out tokens · \$0\.000\d+ \(measured\) · request \S+ · \d+\.\d\d s\n/,
    );
    expect(stdout).toMatch(/\n2 answered, 0 failed · \d+ tokens · \$0\.000\d+ · \d+\.\d\d s\n$/);

    const json = await run("--compare", "openai/gpt-4o, nobody/knows", "--json");
    expect(json.status).toBe(1);
    const events = json.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.find(({ index }) => index === 1)).toMatchObject({
      model: "nobody/knows",
      event: { error: { kind: "unknown_model" } },
    });
    expect(events.at(-1)).toMatchObject({ totals: { served: 1, failed: 1 } });
  });

  it("refuses what cannot be", async () => {
    const one = await start("chat", "Hello", "--compare", "openai").end();
    expect(one).toMatchObject({ status: 1, stderr: expect.stringContaining("two names or more") });
    const both = await start("chat", "Hello", "--compare", "openai,claude", "-m", "mistral").end();
    expect(both).toMatchObject({ status: 1, stderr: expect.stringContaining("--compare names the models") });
  });
});

const of = (index: number, event: object): CompareEvent =>
  create(CompareEventSchema, { index, model: MODELS[index] ?? "", event });
const MODELS = ["one", "two"];
const FAILURE = {
  error: { kind: "cut", message: "the connection broke", receipt: { cost: { actualUsd: 0.5 } } },
};
const DONE = { done: true, receipt: { cost: { actualUsd: 0.25, outputTokens: 3 } } };

it("stands in columns where the terminal is wide enough", () => {
  let shown = "";
  const tell = show(MODELS, 60, (text) => {
    shown += text;
  });
  tell(of(0, { token: "A word that goes on and on until it is too long" }));
  expect(shown).toBe(`one${" ".repeat(25)} │ two\n${"─".repeat(28)} │ ${"─".repeat(28)}\n`);
  tell(of(1, { token: "Short" }));
  tell(of(1, FAILURE));
  tell(of(0, { token: "." }));
  tell(of(0, DONE));
  tell(create(CompareEventSchema, { totals: { served: 1, failed: 1, totalTokens: 9, costUsd: 0.75 } }));
  expect(
    shown
      .split("\n")
      .slice(2)
      .map((row) => row.replace(/\d\.\d\d s/, "T")),
  ).toEqual([
    "A word that goes on and on   │ Short",
    "until it is too long.        │ error: the connection broke",
    "$0.25 · 3 tokens · T    │ (cut)",
    `${" ".repeat(28)} │ $0.50 · 0 tokens · T`,
    "1 answered, 1 failed · 9 tokens · $0.75 · T",
    "",
  ]);
});

it("keeps columns straight whatever is said", () => {
  let shown = "";
  const columns = new Columns(["a", "b"], 24, (text) => {
    shown += text;
  });
  columns.say(0, `日本語のテキストは二倍の幅です\u001b[31m👍 ${"x".repeat(60)}`);
  columns.end(0, "");
  columns.end(1, "");
  const rows = shown.split("\n").slice(2);
  expect(rows[0]).toBe("日本語のテキストは二倍の │");
  expect(rows[1]).toBe("幅です[31m👍             │");
  expect(rows.slice(2, 5).map((row) => row.indexOf("│"))).toEqual([25, 25, 25]);
});
