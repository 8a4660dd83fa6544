/** Lines of CSV, as RFC 4180 has it. */
export function csv(rows: readonly (readonly unknown[])[]): string {
  return rows.map((row) => `${row.map(quoted).join()}\n`).join("");
}

/** What a spreadsheet would take for a formula gets a quote before it. */
function quoted(value: unknown): string {
  const text = String(value);
  const safe = typeof value === "string" && /^[=+@\t\r-](?!\d+(\.\d+)?$)/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
