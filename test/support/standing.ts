/** What the status says of a provider that answers its check. */
import { expect } from "vitest";

/** Degraded at most, where a test made its calls fail: its check has answered all the same. */
export const ANSWERED = {
  status: expect.stringMatching(/^(available|degraded)$/) as unknown as string,
  reason: expect.not.stringContaining("its check does not") as unknown as string,
  checked_at: expect.any(String) as unknown as string,
};
