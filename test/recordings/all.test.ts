/** Every recording that there is belongs to a suite, and to one alone. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { FOLDERS, recordingsFolder } from "./recordings.ts";

const folder = recordingsFolder();

test("recordings are there, or this is not CI", () => {
  if (folder === undefined) console.log("no recordings were found, and so none is replayed");
  expect(folder !== undefined || process.env.CI !== "true").toBe(true);
});

test("each suite has its file", () => {
  for (const suite of Object.keys(FOLDERS)) {
    const file = fileURLToPath(new URL(`${suite}.test.ts`, import.meta.url));
    expect(readFileSync(file, "utf8")).toContain(`providers: FOLDERS.${suite},`);
  }
});

if (folder !== undefined)
  test("every recording of the index belongs to a suite", () => {
    const index: { readonly dir: string }[] = JSON.parse(readFileSync(join(folder, "../index.json"), "utf8"));
    const indexed = index.map(({ dir }) => dir.replace(/^providers\//, ""));
    const folders: readonly string[] = Object.values(FOLDERS).flat();
    const replayed = folders.flatMap((name) =>
      readdirSync(join(folder, name)).map((one) => `${name}/${one}`),
    );
    expect(replayed.sort()).toEqual(indexed.sort());
    expect(readdirSync(folder).sort()).toEqual([...folders].sort());
    for (const one of indexed) expect(existsSync(join(folder, one, "meta.json")), one).toBe(true);
    console.log(`${indexed.length} recordings, none skipped`);
  });
