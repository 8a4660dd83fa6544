/** Calls that are shared among variants, through a whole gateway. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Figures, together } from "../../src/experiments/figures.ts";
import { rowsOf, temporaryFolder } from "../support/stores.ts";
import { PLAIN, startWorld } from "./world.ts";

const TWO_OF_ONE_MODEL = {
  temper: {
    models: ["smart"],
    sticky_by: "tag:user",
    variants: [
      { name: "cold", model: "openai/gpt-4o", parameters: { temperature: 0 } },
      { name: "warm", model: "openai/gpt-4o", parameters: { temperature: 1 } },
    ],
  },
};
const ALIAS = { aliases: { smart: { targets: [{ target: "openai/gpt-4o" }] } } };

it("shares the calls that leave the choice to the gateway, and tells which variant served", async () => {
  await using world = await startWorld(PLAIN);
  const replies = await Promise.all(Array.from({ length: 40 }, () => world.chat()));
  const served = new Set(replies.map(({ provider }) => provider));
  expect(served).toEqual(new Set(["openai", "claude"]));
  for (const { provider, model, experiment } of replies)
    expect(experiment).toEqual({ name: "gpt4_vs_claude", variant: `${provider}/${model}` });
  // Who names a model has it, and who wants no part has none.
  expect((await world.chat({ model: "openai/gpt-4o-mini" })).experiment).toBeUndefined();
  expect((await world.chat({ experiment: "none" })).experiment).toBeUndefined();
  const wanted = await world.chat({ model: "openai/gpt-4o-mini", experiment: "gpt4_vs_claude" });
  expect(wanted.experiment?.name).toBe("gpt4_vs_claude");
  const { state, variants } = await world.experiment("gpt4_vs_claude");
  expect(state).toBe("running");
  expect(variants.map(({ share }) => share)).toEqual([0.5, 0.5]);
  expect(variants.reduce((sum, { requests }) => sum + Number(requests), 0)).toBe(41);
  const metrics = await (await fetch(`${world.url}/v1/gateway/metrics`)).text();
  expect(metrics).toMatch(
    /llm_experiment_requests_total\{experiment="gpt4_vs_claude",variant="openai\/gpt-4o",cached="false"\} \d/,
  );
  const [first] = replies;
  expect(await world.log.about(first?.request_id ?? "")).toMatchObject({
    experiment: "gpt4_vs_claude",
    variant: first?.experiment?.variant,
  });
});

it("keeps what stays together at one variant, over restarts and replicas, and moves few when weights change", async () => {
  const users = Array.from({ length: 60 }, (_, user) => ({ model: "smart", metadata: { user: `u${user}` } }));
  const variantsOf = async (weights: readonly [number, number]) => {
    const [cold, warm] = TWO_OF_ONE_MODEL.temper.variants;
    const variants = [
      { ...cold, weight: weights[0] },
      { ...warm, weight: weights[1] },
    ];
    await using world = await startWorld({ temper: { ...TWO_OF_ONE_MODEL.temper, variants } }, ALIAS);
    const asked = await Promise.all(users.map((user) => world.chat(user)));
    const again = await Promise.all(users.map((user) => world.chat(user)));
    expect(again.map(({ experiment }) => experiment)).toEqual(asked.map(({ experiment }) => experiment));
    return asked.map(({ experiment }) => experiment?.variant);
  };
  const before = await variantsOf([1, 1]);
  expect(new Set(before).size).toBe(2);
  expect(await variantsOf([1, 1])).toEqual(before);
  const after = await variantsOf([3, 1]);
  // Only towards the one that has more now.
  expect(after.filter((variant, user) => variant !== before[user])).not.toContain("warm");
  expect(after.filter((variant, user) => variant !== before[user]).length).toBeLessThan(30);
});

it("never gives one variant's answer to another", async () => {
  await using world = await startWorld(TWO_OF_ONE_MODEL, { ...ALIAS, cache: { enabled: true } });
  const ask = (user: string) => world.chat({ model: "smart", metadata: { user } });
  const first = new Map<string, string>();
  for (let user = 0; user < 20; user++) {
    const { experiment, cached, request_id } = await ask(`u${user}`);
    const variant = experiment?.variant ?? "";
    expect(cached).toBe(first.has(variant));
    if (!cached) first.set(variant, request_id);
  }
  expect([...first.keys()].sort()).toEqual(["cold", "warm"]);
  const { variants } = await world.experiment("temper");
  // What the cache answered tells nothing of a variant.
  expect(variants.map(({ cost_usd }) => cost_usd.count)).toEqual(["1", "1"]);
  expect(variants.reduce((sum, { cached }) => sum + Number(cached), 0)).toBe(18);
  // A variant that asks for the same model as a caller who is in none has what that one was answered.
  const temperature = { model: "openai/gpt-4o", parameters: { temperature: 0 } };
  expect(await world.chat(temperature)).toMatchObject({ cached: true });
});

it("counts feedback for the variant that answered, once a request, and only the tenant's own", async () => {
  await using world = await startWorld(PLAIN);
  const { request_id, experiment } = await world.chat();
  const feedback = (body: Record<string, unknown>) =>
    world.post("/v1/gateway/feedback", { request_id, ...body });
  expect((await feedback({ thumbs: "up" })).body).toMatchObject({
    ...(experiment && { variant: experiment.variant }),
    score: 1,
    replaced: false,
  });
  expect((await feedback({ score: 0.25 })).body).toMatchObject({ score: 0.25, replaced: true });
  const { variants } = await world.experiment("gpt4_vs_claude");
  expect(variants.find(({ name }) => name === experiment?.variant)?.feedback).toMatchObject({
    count: "1",
    mean: 0.25,
  });
  expect((await feedback({})).status).toBe(400);
  expect((await feedback({ thumbs: "up", score: 1 })).status).toBe(400);
  expect((await world.post("/v1/gateway/feedback", { request_id: "nobody", score: 1 })).status).toBe(404);
});

it("counts feedback among the calls that stayed together, though another process hears it", async () => {
  const data_dir = temporaryFolder();
  const given = { ...ALIAS, ledger: { data_dir } };
  const ids: string[] = [];
  {
    await using first = await startWorld(TWO_OF_ONE_MODEL, given);
    for (let call = 0; call < 6; call++)
      ids.push((await first.chat({ model: "smart", metadata: { user: "anna" } })).request_id);
  }
  {
    await using second = await startWorld(TWO_OF_ONE_MODEL, given);
    for (const request_id of ids)
      expect((await second.post("/v1/gateway/feedback", { request_id, score: 1 })).status).toBe(200);
  }
  const bodies = rowsOf(join(data_dir, "llmgateway.db"), "SELECT body FROM experiments");
  const all = bodies.flatMap(({ body }): Figures[] => Object.values(JSON.parse(String(body)).figures));
  const { failures, feedback } = together(all);
  expect(feedback.count).toBe(6);
  expect(feedback.groupCounts).toEqual(failures.groupCounts);
});

it("gives all calls to who is promoted, none once stopped, and holds to it over a restart", async () => {
  await using world = await startWorld(PLAIN);
  const act = (what: string, body = {}) => world.post(`/v1/gateway/experiments/gpt4_vs_claude/${what}`, body);
  expect((await act("promote", { variant: "nobody" })).status).toBe(404);
  expect((await act("promote", { variant: "claude/claude-sonnet-5" })).body).toMatchObject({
    state: "decided",
    winner: "claude/claude-sonnet-5",
    decided_by: "operator",
  });
  for (let call = 0; call < 8; call++) expect((await world.chat()).provider).toBe("claude");
  expect((await act("stop")).body).toMatchObject({ state: "stopped", winner: "" });
  expect((await world.chat()).experiment).toBeUndefined();
  expect((await act("promote")).body).toMatchObject({ state: "running" });
});

it("leaves alone who compares models, and who makes embeddings", async () => {
  await using world = await startWorld({
    trial: { all: true, variants: [{ model: "claude/claude-sonnet-5" }] },
  });
  expect((await world.chat({ model: "openai/gpt-4o" })).provider).toBe("claude");
  const messages = [{ role: "user", content: "Hello" }];
  const reply = await fetch(`${world.url}/v1/gateway/compare`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      request: { messages },
      models: ["openai/gpt-4o", "mistral/mistral-small-latest"],
    }),
  });
  const text = await reply.text();
  expect(text).toContain('"provider":"openai"');
  expect(text).toContain('"provider":"mistral"');
  expect(text).not.toContain("claude");
  const vectors = await world.post("/v1/gateway/embeddings", {
    input: ["a"],
    model: "openai/text-embedding-3-small",
  });
  expect(vectors).toMatchObject({ status: 200, body: { provider: "openai" } });
});

it("tells what is wrong with its configuration", async () => {
  const wrong = {
    broken: {
      variants: [
        { model: "nobody/nothing" },
        { model: "openai/gpt-4o", weight: 0 },
        { model: "openai/gpt-4o", weight: 0 },
      ],
    },
  };
  await expect(startWorld(wrong)).rejects.toThrow(
    /experiments\.broken\.variants\[0\]\.model.*\n.*taken|taken/,
  );
});
