/** What an experiment decides by itself, in a gateway and by its figures, and when it does not. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { count, type Figures, noFigures, rate } from "../../src/experiments/figures.ts";
import { judge } from "../../src/experiments/judge.ts";
import { rowsOf, temporaryFolder } from "../support/stores.ts";
import { RULE, seeded } from "./simulated.ts";
import { startWorld } from "./world.ts";

const SOON = { decide: "auto", min_samples: 20, min_duration: "0s", harm_min_samples: 20 };

it("gives all calls to the cheaper one, and holds to that over a restart", async () => {
  const experiments = {
    price: {
      decision: SOON,
      variants: [
        { name: "big", model: "openai/gpt-4o" },
        { name: "small", model: "openai/gpt-4o-mini" },
      ],
    },
  };
  const ledger = { data_dir: temporaryFolder() };
  let last = "";
  {
    await using world = await startWorld(experiments, { ledger });
    for (let round = 0; round < 30; round++)
      await Promise.all(Array.from({ length: 12 }, () => world.chat()));
    expect(await world.experiment("price")).toMatchObject({
      state: "decided",
      winner: "small",
      decided_by: "sequential_test",
    });
    last = (await world.chat()).request_id;
    expect(world.log.events.find(({ msg }) => msg === "experiment")).toMatchObject({
      experiment: "price",
      winner: "small",
    });
  }
  await using world = await startWorld(experiments, { ledger });
  const { state, winner, variants } = await world.experiment("price");
  expect({ state, winner }).toEqual({ state: "decided", winner: "small" });
  expect(variants.reduce((sum, { requests }) => sum + Number(requests), 0)).toBe(361);
  for (let call = 0; call < 5; call++) expect((await world.chat()).model).toBe("gpt-4o-mini");
  // What was answered before is known by the ledger.
  const told = await world.post("/v1/gateway/feedback", { request_id: last, thumbs: "up" });
  expect(told).toMatchObject({ status: 200, body: { experiment: "price", variant: "small" } });
});

it("keeps one sum of all processes that have ended, however many", async () => {
  const ledger = { data_dir: temporaryFolder() };
  const variants = [{ model: "openai/gpt-4o" }, { model: "openai/gpt-4o-mini" }];
  for (let start = 0; start < 3; start++) {
    await using world = await startWorld({ trial: { variants } }, { ledger });
    for (let call = 0; call < 4; call++) await world.chat();
    const { variants: told } = await world.experiment("trial");
    expect(told.reduce((sum, { requests }) => sum + Number(requests), 0)).toBe(4 * (start + 1));
  }
  const rows = rowsOf(join(ledger.data_dir, "llmgateway.db"), "SELECT instance FROM experiments");
  expect(rows).toEqual([{ instance: "ended" }]);
});

it("sends no more calls to one that fails, and says so", async () => {
  const failing = await startEmulator({ chaos: 1, fault: "status=500" });
  const providers = { failing: { kind: "openai", base_url: `${failing.url}/v1`, prices: "openai" } };
  const variants = [{ model: "openai/gpt-4o" }, { name: "bad", model: "failing/gpt-4o" }];
  await using world = await startWorld(
    { trial: { decision: { harm_min_samples: 20 }, variants } },
    { providers },
  );
  const outcomes: boolean[] = [];
  for (let call = 0; call < 150; call++)
    outcomes.push(
      await world.chat().then(
        () => true,
        () => false,
      ),
    );
  const { state, variants: told } = await world.experiment("trial");
  expect(state).toBe("running");
  expect(told[1]).toMatchObject({
    share: 0,
    stopped_because: expect.stringContaining("it fails more often"),
  });
  expect(outcomes.slice(-40)).not.toContain(false);
  expect(outcomes.filter((ok) => !ok).length).toBeLessThan(60);
  await failing.close();
});

describe("names no winner", () => {
  /** Where the second is clearly cheaper and better. */
  function figures(change: (name: string, figures: Figures) => void = () => {}, calls = 400, groups = 32) {
    const random = seeded(7);
    const all = new Map(["a", "b"].map((name) => [name, noFigures()]));
    for (const [name, of] of all) {
      for (let call = 0; call < calls; call++) {
        const group = call % groups;
        const costUsd = (name === "a" ? 0.01 : 0.004) * (0.8 + 0.4 * random());
        count(of, {
          group,
          cached: false,
          failed: false,
          latencyMs: 500,
          costUsd,
          unpriced: false,
          tokens: 10,
        });
        rate(of, random() < (name === "a" ? 0.5 : 0.9) ? 1 : 0, group, undefined);
      }
      change(name, of);
    }
    return (name: string) => all.get(name) ?? noFigures();
  }

  const judged = (rule: Partial<typeof RULE>, figuresOf: (name: string) => Figures, elapsedMs = 1) =>
    judge({ ...RULE, ...rule }, { figuresOf, stopped: new Set(), elapsedMs });

  it.each(["cost", "quality", "weighted"] as const)("but where %s speaks clearly", (objective) => {
    expect(judged({ objective }, figures()).winner).toBe("b");
  });

  it.each<[string, RegExp, Partial<typeof RULE>, (name: string) => Figures]>([
    [
      "where there was no feedback",
      /too little feedback for a: 0 of 200/,
      { objective: "quality" },
      figures((_, of) => Object.assign(of.feedback, noFigures().feedback)),
    ],
    [
      "where feedback comes to one much more often",
      /broken: feedback comes to/,
      { objective: "quality" },
      figures((name, of) => {
        if (name === "b") for (let n = 0; n < 900; n++) rate(of, 1, n % 32, undefined);
      }),
    ],
    [
      "where prices are lacking",
      /broken: of b, the cost of 40 calls/,
      {},
      figures((name, of) => {
        if (name === "b") of.unpriced = 40;
      }),
    ],
    [
      "where figures are no numbers",
      /broken: of a, 50 figures/,
      {},
      figures((name, of) => {
        if (name === "a") for (let n = 0; n < 50; n++) rate(of, Number.NaN, 0, undefined);
      }),
    ],
    ["before there are enough calls", /too few calls of a: 199 of 200/, {}, figures(() => {}, 199)],
    [
      "where a few make all the calls",
      /too few of those that stay together/,
      { sticky: true },
      figures(() => {}, 400, 3),
    ],
    ["before its time", /it has to run for 60 more minutes/, { minDurationMs: 3_600_001 }, figures()],
  ])("%s", (_, reason, rule, figuresOf) => {
    const { winner, reason: said } = judged(rule, figuresOf);
    expect(winner).toBeUndefined();
    expect(said).toMatch(reason);
  });

  it("among two that always cost the same, whatever their sums are rounded to", () => {
    const same = figures((name, of) => {
      Object.assign(of.costUsd, noFigures().costUsd);
      for (let n = 0; n < (name === "a" ? 300 : 777); n++)
        count(of, {
          group: n % 32,
          cached: false,
          failed: false,
          latencyMs: 1,
          costUsd: 0.0003575,
          unpriced: false,
          tokens: 1,
        });
    });
    expect(judged({}, same)).toMatchObject({
      winner: undefined,
      reason: expect.stringContaining("no variant is clearly better"),
    });
  });

  it("of what is cheaper since it fails", () => {
    const cheap = figures((name, of) => {
      if (name === "b")
        for (let n = 0; n < 40; n++)
          count(of, {
            group: n % 32,
            cached: false,
            failed: true,
            latencyMs: 1,
            costUsd: 0,
            unpriced: false,
            tokens: 0,
          });
    });
    expect(judged({ stopOnHarm: false }, cheap).winner).toBeUndefined();
  });
});

describe("harm", () => {
  /** Where the second fails every other time, takes ten times as long and costs ten times as much. */
  function figures(groups: number): (name: string) => Figures {
    const of = (name: string) => {
      const times = name === "a" ? 1 : 10;
      const figures = noFigures();
      for (let call = 0; call < 400; call++)
        count(figures, {
          group: call % groups,
          cached: false,
          failed: times > 1 && call % 4 < 2,
          latencyMs: 500 * times,
          costUsd: 0.01 * times,
          unpriced: false,
          tokens: 10,
        });
      return figures;
    };
    const all = new Map(["a", "b"].map((name) => [name, of(name)]));
    return (name) => all.get(name) ?? noFigures();
  }

  const judged = (groups: number, elapsedMs: number) =>
    judge(
      { ...RULE, sticky: groups < 32, minDurationMs: 3_600_000 },
      { figuresOf: figures(groups), stopped: new Set(), elapsedMs },
    );

  it("is not seen where each variant has the calls of one unit alone, which may be so by itself", () => {
    expect(judged(1, 0).harmful).toEqual(new Map());
    expect([...judged(3, 0).harmful.keys()]).toEqual(["b"]);
  });

  it("leaves one with all calls at once, and makes it the winner in its time", () => {
    expect(judged(32, 0)).toMatchObject({ winner: undefined, reason: "it has to run for 60 more minutes" });
    expect(judged(32, 3_600_000)).toMatchObject({ winner: "a", reason: "no other variant is left" });
  });
});
