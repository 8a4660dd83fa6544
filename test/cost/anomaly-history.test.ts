/** What is kept of closed hours: within bounds, whatever names callers make up, and gone when it is too old. */
import { expect, test } from "vitest";
import { History, KEPT_HOURS, MAX_MODELS, type ModelHour } from "../../src/cost/anomaly/history.ts";

const BEGIN = 494_000;

function rowOf(hour: number, model: string, worth = 1): ModelHour {
  const none = { bookedEstimated: 0, unpriced: 0, estimated: 0 };
  return { hour, target: { provider: "openai", model }, worth, booked: worth, attempts: 1, ...none };
}

test("keeps so many models by name, and all of them in the total", () => {
  const history = new History();
  const rows = Array.from({ length: MAX_MODELS + 50 }, (_, index) => rowOf(BEGIN, `model-${index}`));
  history.replace(BEGIN, BEGIN, rows);
  expect([...history.models]).toHaveLength(MAX_MODELS);
  expect(history.total?.at("worth", BEGIN)).toBe(MAX_MODELS + 50);
});

test("forgets models of which nothing is kept any more, and makes room", () => {
  const history = new History();
  history.replace(BEGIN, BEGIN, [rowOf(BEGIN, "old"), rowOf(BEGIN, "kept")]);
  for (let hour = BEGIN + 1; hour < BEGIN + KEPT_HOURS + 1; hour++)
    history.replace(hour, hour, [rowOf(hour, "kept", 2)]);
  expect([...history.models].map(({ target }) => target?.model)).toEqual(["kept"]);
  expect(history.total?.first).toBe(BEGIN + 1);
  expect(history.total?.sum("worth", BEGIN, BEGIN + KEPT_HOURS)).toBe(2 * KEPT_HOURS);
});

test("takes hours anew in place of what was known of them", () => {
  const history = new History();
  history.replace(BEGIN, BEGIN + 1, [rowOf(BEGIN, "one", 5), rowOf(BEGIN + 1, "one", 7)]);
  history.replace(BEGIN, BEGIN + 2, [rowOf(BEGIN, "one", 6), rowOf(BEGIN + 1, "two", 1)]);
  const [one, two] = [...history.models];
  expect([BEGIN, BEGIN + 1, BEGIN + 2].map((hour) => one?.at("worth", hour))).toEqual([6, 0, 0]);
  expect(two?.first).toBe(BEGIN + 1);
  expect(history.total?.sum("worth", BEGIN - 1, BEGIN + 2)).toBe(7);
});
