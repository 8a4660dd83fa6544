/** JSON off the wire, of which nothing is known yet. */

export type Fields = Readonly<Record<string, unknown>>;

/** Undefined for anything but an object. */
export function parseFields(text: string | undefined): Fields | undefined {
  try {
    const parsed: unknown = JSON.parse(text ?? "");
    return isObject(parsed) ? parsed : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function asObject(value: unknown): Fields {
  return isObject(value) ? value : {};
}
