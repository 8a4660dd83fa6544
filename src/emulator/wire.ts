/** JSON off the wire, of which nothing is known yet. */

export type Fields = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function asObject(value: unknown): Fields {
  return isObject(value) ? value : {};
}
