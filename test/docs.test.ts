import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import { describe, expect, it } from "vitest";
import { FAILURES } from "../src/core/failure.ts";
import { startEmulator } from "../src/emulator/server.ts";
import { follow, isSample } from "./docs/guide.ts";
import { readBlocks, readLinks, readTable } from "./docs/page.ts";
import { Shell } from "./docs/shell.ts";

const checkout = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");
const pages = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(checkout, "docs"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join("docs", path)),
  "clients/go/README.md",
  "clients/typescript/README.md",
];
/** Followed where the packages are installed, by test/clients. */
const elsewhere = ["clients/go/README.md", "clients/typescript/README.md"];

describe.each(pages)("%s", (path) => {
  const blocks = readBlocks(checkout, path);

  it("links to what is there", () => {
    for (const target of readLinks(checkout, path)) {
      expect(existsSync(join(checkout, dirname(path), target)), target).toBe(true);
    }
  });

  it("says of each JSON and TypeScript sample what it is, so that it can be tried", () => {
    const unmarked = blocks.filter(({ language, marks }) => /^(json|ts)$/.test(language) && marks.size === 0);
    expect(unmarked.map(({ place }) => place)).toEqual([]);
  });

  if (blocks.some(isSample) && !elsewhere.includes(path)) {
    it("works as written", { timeout: 120_000 }, async () => {
      const emulator = await startEmulator();
      try {
        await using shell = await Shell.open(checkout, emulator.url);
        await follow(shell, blocks);
      } finally {
        await emulator.close();
      }
    });
  }
});

it("docs/errors.md has every kind of failure, just as the code has it", () => {
  const documented = readTable(checkout, "docs/errors.md", "kind").map(
    ([kind, , http, code, retryable, actor]) => [kind, http, code, retryable, actor],
  );
  const coded = Object.entries(FAILURES).map(([kind, { http, code, retryable, faultOf }]) => [
    kind,
    String(http),
    codeToString(code),
    retryable ? "yes" : "no",
    faultOf,
  ]);
  expect(documented).toEqual(coded);
});
