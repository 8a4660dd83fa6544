/** What JSON looks like when it is not asked what it says. */

/** The different shapes of a stream's events, or the one of a JSON body. */
export function shapes(body: string): string[] {
  const datas = [...body.matchAll(/^data: ?(.*)$/gm)].map(([, data = ""]) => data);
  const events = datas.length > 0 ? datas : [body];
  const values = events
    .filter((event) => event !== "" && event !== "[DONE]")
    .map((event) => JSON.parse(event));
  return [...new Set(values.map((value) => JSON.stringify(shape(value))))].sort();
}

/** A value with its keys sorted and its leaves replaced by their types; an array by its first element. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape);
  if (typeof value !== "object" || value === null) return value === null ? null : typeof value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, shape(inner)]));
}
