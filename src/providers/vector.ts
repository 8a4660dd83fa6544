/** Vectors as providers write them in JSON, and which of them are none. */
const MAX_FLOAT32 = 3.4028234663852886e38;

/** The list itself, since a call may bring millions of numbers; undefined for what is no list of 32-bit floats. */
export function vectorOf(values: unknown): number[] | undefined {
  return Array.isArray(values) && values.length > 0 && values.every(isFloat32) ? values : undefined;
}

function isFloat32(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) <= MAX_FLOAT32;
}
