/** One of three providers is out of order, and comes back: what callers see, what reaches it, and when it serves again. */
import { expect, test } from "vitest";
import { agreement } from "../money/agreement.ts";
import { VirtualClock } from "../support/clock.ts";
import { type End, makeCalls, receiptsOf } from "./calls.ts";
import { failed } from "./figures.ts";
import { CHAIN } from "./play.ts";
import { SICK, TARGETS, World } from "./world.ts";

const CALLS = 2_100;
const AT_ONCE = 24;
const OUT_OF_ORDER = { chaos: 1, fault: "status=503" };
const IN_ORDER = { chaos: 0 };

test("callers do not notice, and traffic is back within two half-open periods", async () => {
  const openForMs = 1_000;
  const config = {
    aliases: { any: { targets: Object.values(TARGETS).map((target) => ({ target })) } },
    fallback_chains: CHAIN,
    resilience: { circuit_breaker: { open_for: `${openForMs / 1_000}s` } },
  };
  await using world = await World.start({ config });
  const call = (count: number, series: string) =>
    makeCalls(world.url, { count, atOnce: AT_ONCE, model: () => "any", series });
  world.sick.misbehave(OUT_OF_ORDER);
  const during = await call(CALLS, "during");
  const openedAtMs = turnedAtMs(world, "open");
  const probes = world.sick.meter.requests.length;

  world.sick.misbehave(IN_ORDER);
  const backAtMs = Date.now();
  const after: End[] = [];
  while (Date.now() < backAtMs + 2 * openForMs + 500)
    after.push(...(await call(100, `after-${after.length}`)));
  const closedAtMs = turnedAtMs(world, "closed");
  const all = [...during, ...after];
  const books = await world.books(receiptsOf(all));

  const failures = all.filter(failed);
  const sent = books.attempts
    .filter(({ provider, startedAtMs }) => provider === SICK && startedAtMs < backAtMs)
    .map(({ startedAtMs }) => startedAtMs)
    .toSorted((a, b) => a - b);
  const probed = sent.filter((atMs) => atMs > openedAtMs);
  const share =
    after.slice(-300).filter(({ receipt }) => receipt?.attempts[0]?.provider === SICK).length / 300;
  process.stdout.write(
    [
      `\n${all.length} calls, a third of ${CALLS} to a provider that fails: ${failures.length} failed`,
      `it was sent ${sent.length} before it was back, ${probed.length} of them in ${backAtMs - openedAtMs} ms of an open circuit`,
      `it served again ${closedAtMs - backAtMs} ms after it was back, and had ${Math.round(100 * share)} % of the calls then\n`,
    ].join("\n"),
  );
  expect(failures.length).toBeLessThan(all.length / 1_000);
  expect(agreement(books).disagreements).toEqual([]);
  expect(probes).toBe(sent.length);
  expect(probed.length).toBeGreaterThan(0);
  for (const [at, atMs] of probed.entries())
    expect(atMs - (probed[at - 1] ?? openedAtMs)).toBeGreaterThanOrEqual(openForMs - 1);
  expect(closedAtMs).toBeGreaterThan(backAtMs);
  expect(closedAtMs - backAtMs).toBeLessThan(2 * openForMs);
  expect(share).toBeGreaterThan(0.2);
});

/** When the provider's circuit first turned so, by the log. */
function turnedAtMs({ log }: World, state: string): number {
  const event = log.events.find(
    (one) => one.msg === "circuit" && one.provider === SICK && !one.model && one.state === state,
  );
  return Date.parse(String(event?.time));
}

test("with the defaults it is probed every thirty seconds, on a clock that is moved by hand", async () => {
  const clock = new VirtualClock();
  const [stepMs, failsFromMs, failsUntilMs, endMs] = [500, 10_000, 160_000, 240_000];
  // No call waits for a clock that nobody moves meanwhile.
  const config = { fallback_chains: CHAIN, resilience: { retries: { max: 0 } } };
  await using world = await World.start({ config, clock });
  const sentAtMs: number[] = [];
  let seen = 0;
  const look = (number: number) => {
    const { length } = world.sick.meter.requests;
    if (length > seen) sentAtMs.push((number - 1) * stepMs);
    seen = length;
  };
  const ends = await makeCalls(world.url, {
    count: endMs / stepMs,
    atOnce: 1,
    model: () => TARGETS[SICK],
    async before(number) {
      look(number);
      if (number * stepMs === failsFromMs) world.sick.misbehave(OUT_OF_ORDER);
      if (number * stepMs === failsUntilMs) world.sick.misbehave(IN_ORDER);
      await clock.advance(stepMs);
    },
  });
  look(ends.length);
  const gaps = sentAtMs.map((atMs, at) => atMs - (sentAtMs[at - 1] ?? 0));
  const long = gaps.filter((ms) => ms > stepMs);
  const servedAgainAtMs = sentAtMs.find((atMs) => atMs >= failsUntilMs) ?? Number.NaN;
  process.stdout.write(
    `\nprobes after ${long.map((ms) => ms / 1_000).join(", ")} s; served again ${(servedAgainAtMs - failsUntilMs) / 1_000} s after it was back\n`,
  );
  expect(ends.filter(failed)).toEqual([]);
  // Five probes in the time that it fails; all else goes elsewhere.
  expect(long.length).toBeGreaterThanOrEqual(4);
  for (const ms of long) expect(ms).toBeGreaterThanOrEqual(30_000);
  expect(servedAgainAtMs - failsUntilMs).toBeLessThan(60_000);
  // From then on every call is its own again.
  const back = sentAtMs.filter((atMs) => atMs > servedAgainAtMs);
  expect(back.length).toBe((endMs - servedAgainAtMs) / stepMs - 1);
});
