/** A mixed workload at whoever is cheapest for each request, beside the same at fixed targets. */
import { expect, test } from "vitest";
import { lowCost } from "./low-cost.ts";

test("costs at least a fifth less, and is answered as well", async () => {
  const { requests, fixed, lowCost: cheapest, saved } = await lowCost();
  const told = ({ usd, succeeded, served }: typeof fixed) =>
    `$${usd.toFixed(4)}, ${succeeded} of ${requests} answered: ${Object.entries(served)
      .map(([target, count]) => `${count} by ${target}`)
      .join(", ")}`;
  process.stdout.write(
    `\nfixed targets  ${told(fixed)}\nlow cost       ${told(cheapest)}\nsaved          ${(100 * saved).toFixed(1)} %\n`,
  );
  expect(fixed.succeeded).toBe(requests);
  expect(cheapest.succeeded).toBe(requests);
  expect(saved).toBeGreaterThanOrEqual(0.2);
});
