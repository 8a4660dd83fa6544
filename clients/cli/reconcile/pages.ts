/** Pages of days with results, as the usage and cost APIs of OpenAI and Anthropic both give them. It knows no result. */
import { dayOf, type ExportRow } from "./export.ts";
import type { JsonNode } from "./json-file.ts";

/** @param start the field that says when a day began */
export function rowsOfPage(
  page: JsonNode,
  start: string,
  rowOf: (result: JsonNode, day: string) => ExportRow,
): ExportRow[] {
  return page
    .at("data")
    .list()
    .flatMap((bucket) => {
      const began = bucket.at(start);
      const day = dayOf(began.text(), began.where);
      return bucket
        .at("results")
        .list()
        .map((result) => rowOf(result, day));
    });
}
