/** Rows as a table for people, each column as wide as what stands in it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map(plain));
  const widths = head.map((title, at) => Math.max(title.length, ...shown.map((row) => row[at]?.length ?? 0)));
  return [head, ...shown]
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

/** Names and values, one a line; without those that have none. */
export function fields(pairs: Readonly<Record<string, string | undefined>>): string {
  const known = Object.entries(pairs).filter(([, value]) => value);
  return known.map(([name, value = ""]) => `${name.padEnd(16)} ${plain(value)}\n`).join("");
}

/** Callers chose some of it, such as models and tags, and operators read it: nothing in it is for the terminal. */
function plain(text: string): string {
  return text.replace(/[\n\r\t]+/g, " ").replace(/\p{Cc}/gu, "");
}
