/**
 * Writes docs/price-catalog.json from LiteLLM's model_prices_and_context_window.json and from own.json, which
 * has what that file lacks or has wrong. The same input gives the same bytes.
 *
 * node ops/prices/import.mts FILE DATE [REVISION]
 *
 * DATE is the day whose state the file has, as YYYY-MM-DD; REVISION counts our own changes on one such state.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { catalogFrom, catalogText } from "./litellm.mts";

const [file, date, revision = "1"] = process.argv.slice(2);
if (!file || !/^\d{4}-\d{2}-\d{2}$/.test(date ?? "") || !/^\d+$/.test(revision)) {
  process.stderr.write("usage: node ops/prices/import.mts FILE YYYY-MM-DD [REVISION]\n");
  process.exit(2);
}
const text = (url: URL | string) => readFileSync(url, "utf8");
const { catalog, notes } = catalogFrom(text(file), text(new URL("own.json", import.meta.url)), {
  date: date ?? "",
  revision,
});
writeFileSync(new URL("../../docs/price-catalog.json", import.meta.url), catalogText(catalog));
for (const { name, why } of notes) process.stdout.write(`left out: ${name}: ${why}\n`);
