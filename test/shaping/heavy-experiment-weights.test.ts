/** Ten thousand calls through a gateway: each variant has the share that its weight says, but for chance. */
import { expect, it } from "vitest";
import { startWorld } from "./world.ts";

const CALLS = 10_000;
const AT_ONCE = 50;
const WEIGHTS = [70, 20, 10];

it.each(["none", "session_id"])(
  "holds weights over 10,000 calls, sticky by %s",
  async (sticky_by) => {
    const variants = WEIGHTS.map((weight, at) => ({ name: `v${at}`, model: "mock/mock-echo", weight }));
    await using world = await startWorld({
      shares: { variants, sticky_by, decision: { stop_on_harm: false } },
    });
    const counts = [0, 0, 0];
    for (let made = 0; made < CALLS; made += AT_ONCE) {
      const calls = Array.from({ length: AT_ONCE }, (_, at) => world.chat({ session_id: `s${made + at}` }));
      for (const { experiment } of await Promise.all(calls)) {
        const at = Number(experiment?.variant.slice(1));
        counts[at] = (counts[at] ?? 0) + 1;
      }
    }
    const expected = WEIGHTS.map((weight) => (CALLS * weight) / 100);
    const chiSquare = expected.reduce(
      (sum, wanted, at) => sum + ((counts[at] ?? 0) - wanted) ** 2 / wanted,
      0,
    );
    process.stdout.write(
      `sticky by ${sticky_by}: ${counts.join(", ")} of ${CALLS}, chi-square ${chiSquare.toFixed(2)}\n`,
    );
    // One in a hundred thousand by chance, at two degrees of freedom.
    expect(chiSquare).toBeLessThan(23);
  },
  300_000,
);
