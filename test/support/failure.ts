/** Calls that fail, and by what. */
import { expect } from "vitest";
import { Failure } from "../../src/core/failure.ts";

export function failureOf(act: () => unknown): Failure {
  const failure = caught(act);
  if (!failure) throw new Error("nothing failed");
  return failure;
}

/** The fields by which a request is refused, in proto names; none when it passes. */
export function violatedBy(act: () => unknown): string[] {
  const failure = caught(act);
  if (!failure) return [];
  expect(failure.kind).toBe("invalid_request");
  return failure.violations.map(({ field }) => field);
}

function caught(act: () => unknown): Failure | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  return undefined;
}
