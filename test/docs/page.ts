/**
 * A guide as its code blocks, in order. What a block is for stands behind its language: `sh run` is run, `sh serve`
 * starts a gateway for the blocks below it, `output` is what the block before it prints, `file=` is written first.
 */
import { readFileSync } from "node:fs";

export interface Block {
  /** Where it stands, as `README.md:12`. */
  readonly place: string;
  readonly language: string;
  /** What stands behind the language: words alone, or `name=value`. */
  readonly marks: ReadonlyMap<string, string>;
  readonly text: string;
}

export function readBlocks(folder: string, path: string): Block[] {
  const blocks: Block[] = [];
  let open: { place: string; info: readonly string[]; lines: string[] } | undefined;
  for (const [index, line] of readFileSync(`${folder}/${path}`, "utf8").split("\n").entries()) {
    if (!line.startsWith("```")) open?.lines.push(line);
    else if (!open)
      open = { place: `${path}:${index + 1}`, info: line.slice(3).trim().split(/\s+/), lines: [] };
    else {
      const [language = "", ...marks] = open.info;
      blocks.push({ place: open.place, language, marks: marksOf(marks), text: open.lines.join("\n") });
      open = undefined;
    }
  }
  if (open) throw new Error(`${open.place}: the block is not closed`);
  return blocks;
}

/** Targets of the links that stay inside the repository, without their anchors. */
export function readLinks(folder: string, path: string): string[] {
  const links = [...readFileSync(`${folder}/${path}`, "utf8").matchAll(/\]\(([^)\s]+)\)/g)];
  return links
    .map(([, target = ""]) => target.replace(/#.*/, ""))
    .filter((target) => target !== "" && !/^[a-z]+:/.test(target));
}

/** The rows of the first table whose first column has this heading, as cells of plain text. */
export function readTable(folder: string, path: string, heading: string): string[][] {
  const lines = readFileSync(`${folder}/${path}`, "utf8").split("\n");
  const start = lines.findIndex((line) => cellsOf(line)[0] === heading);
  const rows = lines.slice(start + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith("|")),
    )
    .map(cellsOf);
}

function cellsOf(line: string): string[] {
  const cells = line.split("|").slice(1, -1);
  return cells.map((cell) => cell.trim().replaceAll("`", ""));
}

function marksOf(words: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    words.map((word) => {
      const [name = "", value = ""] = word.split("=", 2);
      return [name, value];
    }),
  );
}
