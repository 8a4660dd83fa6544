/** What nobody may change any more, whoever has it. */

/** Freezes it to its depth, but for bytes, which cannot be. */
export function deepFreeze<T extends object>(value: T): T {
  if (ArrayBuffer.isView(value)) return value;
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}
