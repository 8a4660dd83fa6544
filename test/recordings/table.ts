/**
 * A reporter: what became of the recordings of real providers, folder by folder, whichever worker replayed them. Says
 * nothing in runs that replay none.
 */
import { relative } from "node:path";
import type { Reporter, TestCase, TestModule } from "vitest/node";

declare module "vitest" {
  interface TaskMeta {
    /** Of the test that replays one recording. */
    recording?: { readonly folder: string; readonly corrected: boolean };
  }
}

interface Row {
  recordings: number;
  replayed: number;
  corrections: number;
}

export default class RecordingsTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = new Map<string, Row>();
    for (const module of modules) for (const test of module.children.allTests()) count(test, rows);
    if (rows.size === 0) return;
    const total = sum([...rows.values()]);
    const lines = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([folder, row]) => line(folder, row));
    process.stdout.write(
      [
        "",
        "| folder | recordings | replayed | corrections |",
        "|---|---|---|---|",
        ...lines,
        line("total", total),
        "",
        ...documented(modules),
        "",
      ].join("\n"),
    );
  }
}

function count(test: TestCase, rows: Map<string, Row>): void {
  const { recording } = test.meta();
  if (!recording) return;
  const row = rows.get(recording.folder) ?? { recordings: 0, replayed: 0, corrections: 0 };
  rows.set(recording.folder, row);
  row.recordings++;
  if (test.result().state === "passed") row.replayed++;
  if (recording.corrected) row.corrections++;
}

function sum(rows: readonly Row[]): Row {
  const total = { recordings: 0, replayed: 0, corrections: 0 };
  for (const row of rows) {
    total.recordings += row.recordings;
    total.replayed += row.replayed;
    total.corrections += row.corrections;
  }
  return total;
}

function line(name: string, { recordings, replayed, corrections }: Row): string {
  return `| ${name} | ${recordings} | ${replayed} | ${corrections} |`;
}

/** Failures that nobody recorded: their tests have the word in their names. */
function documented(modules: readonly TestModule[]): string[] {
  return modules.flatMap((module) => {
    const tests = [...module.children.allTests()].filter(({ fullName }) =>
      /document(ed|ation)/.test(fullName),
    );
    if (!module.moduleId.includes("/providers/") || tests.length === 0) return [];
    const file = relative(process.cwd(), module.moduleId);
    return [`built from documentation, as nobody recorded them: ${tests.length} kinds of failure in ${file}`];
  });
}
