/** How well the semantic cache tells the labelled pairs apart; prints the tables that docs/semantic-cache.md has. */
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CacheSchema } from "../../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { factsOf } from "../../../src/cache/semantic/facts.ts";
import { disagreement } from "../../../src/cache/semantic/guard.ts";
import { lexicalVector } from "../../../src/cache/semantic/lexical.ts";
import { cosine } from "../../../src/cache/semantic/neighbours.ts";
import { completeCache, LEXICAL } from "../../../src/config/cache.ts";
import { startBoth } from "../../support/gateway.ts";
import { http1 } from "../../support/http.ts";
import { type Embedder, startEmbedder } from "./embedder.ts";
import { PAIRS, type Pair } from "./pairs.ts";
import { UNSEEN_PARAPHRASES, UNSEEN_TRAPS } from "./unseen.ts";

const THRESHOLD = {
  lexical: completeCache().semantic.threshold,
  minilm: completeCache(create(CacheSchema, { semantic: { embedder: "local/minilm" } })).semantic.threshold,
};

interface Judged extends Pair {
  readonly similarity: number;
  readonly objection: string | undefined;
}

const TEXTS = [...new Set(PAIRS.flatMap(({ one, other }) => [one, other]))];

function judged(vectors: ReadonlyMap<string, Float32Array | undefined>): Judged[] {
  return PAIRS.map((pair) => {
    const [one, other] = [vectors.get(pair.one), vectors.get(pair.other)];
    return {
      ...pair,
      similarity: one ? cosine(one, other) : 0,
      objection: disagreement(factsOf(pair.one), factsOf(pair.other)),
    };
  });
}

function figures(pairs: readonly Judged[], threshold: number, guarded = true) {
  const passed = pairs.filter(
    ({ similarity, objection }) => similarity >= threshold && !(guarded && objection),
  );
  const right = passed.filter(({ same }) => same).length;
  return {
    recall: right / pairs.filter(({ same }) => same).length,
    precision: passed.length === 0 ? 1 : right / passed.length,
    wrong: passed.filter(({ same }) => !same),
  };
}

function table(name: string, pairs: readonly Judged[], thresholds: readonly number[]): void {
  const rows = thresholds.map((threshold) => {
    const [guarded, bare] = [figures(pairs, threshold), figures(pairs, threshold, false)];
    return [threshold, guarded.recall, guarded.precision, bare.recall, bare.precision]
      .map((figure) => figure.toFixed(3).padStart(10))
      .join("");
  });
  const head = ["threshold", "recall", "precision", "unguarded", "precision"].map((one) => one.padStart(10));
  console.log([`${name}, ${pairs.length} frozen pairs`, head.join(""), ...rows].join("\n"));
}

const frozen = ({ frozen: is }: Pair) => is;

it("there are pairs enough of every kind, half of them frozen", () => {
  expect(PAIRS.length).toBeGreaterThanOrEqual(300);
  expect(new Set(PAIRS.map(({ one, other }) => `${one}\n${other}`)).size).toBe(PAIRS.length);
  const rated = PAIRS.filter(({ kind }) => kind !== "mixed");
  expect(rated.length).toBeGreaterThanOrEqual(300);
  expect(rated.filter(frozen).length / rated.length).toBeGreaterThan(0.45);
  for (const kind of new Set(rated.map((pair) => pair.kind)))
    expect(rated.filter((pair) => pair.kind === kind && frozen(pair)).length, kind).toBeGreaterThanOrEqual(2);
});

it("no trap passes the guard that hangs on a number or a negation, whatever an embedder says", () => {
  const traps = PAIRS.filter(({ kind }) => ["number", "unit", "date", "negation"].includes(kind));
  const passed = traps.filter(({ one, other }) => !disagreement(factsOf(one), factsOf(other)));
  expect(passed).toEqual([]);
});

it("the guard passes about half of paraphrases that it was not made for, and no trap", () => {
  const passes = ([one, other]: readonly [string, string]) => !disagreement(factsOf(one), factsOf(other));
  expect(UNSEEN_TRAPS.filter(passes)).toEqual([]);
  expect(UNSEEN_PARAPHRASES.filter(passes).length / UNSEEN_PARAPHRASES.length).toBeGreaterThanOrEqual(0.5);
});

it("with the lexical embedder, half of the frozen paraphrases are found, and no trap", () => {
  const pairs = judged(new Map(TEXTS.map((text) => [text, lexicalVector(text)]))).filter(frozen);
  table("lexical", pairs, [0.5, 0.65, THRESHOLD.lexical, 0.85, 0.95]);
  const { recall, precision, wrong } = figures(pairs, THRESHOLD.lexical);
  expect(wrong).toEqual([]);
  expect(precision).toBeGreaterThanOrEqual(0.99);
  expect(recall).toBeGreaterThanOrEqual(0.5);
});

describe("with a real embedder", () => {
  let embedder: Embedder | undefined;
  beforeAll(async () => {
    embedder = await startEmbedder();
  }, 60_000);
  afterAll(() => embedder?.[Symbol.asyncDispose]());

  it("half of the frozen paraphrases are found, and no trap", { timeout: 60_000 }, async () => {
    if (!embedder) return;
    const vectors = await embedder.embed(TEXTS);
    const pairs = judged(new Map(TEXTS.map((text, at) => [text, vectors[at]]))).filter(frozen);
    table("all-MiniLM-L6-v2", pairs, [0.7, 0.75, 0.8, THRESHOLD.minilm, 0.9, 0.95]);
    const { recall, precision, wrong } = figures(pairs, THRESHOLD.minilm);
    expect(wrong).toEqual([]);
    expect(precision).toBeGreaterThanOrEqual(0.99);
    expect(recall).toBeGreaterThanOrEqual(0.5);
  });

  it("a gateway asks it as any provider, and finds a paraphrase that shares few words", async () => {
    if (!embedder) return;
    const local = { kind: "openai_compatible", base_url: embedder.url, models: ["minilm"] };
    await using both = await startBoth({
      providers: { local },
      cache: { enabled: true, semantic: { mode: "serve", embedder: "local/minilm", timeout: "20s" } },
    });
    const ask = async (content: string) => {
      const body = JSON.stringify({ messages: [{ role: "user", content }] });
      return JSON.parse(await (await http1(`${both.url}/v1/gateway/chat`, body)).text());
    };
    const first = await ask("How can I purchase a train ticket?");
    expect(first).toMatchObject({ cached: false, attempts: [{ model: "minilm" }, { model: "gpt-4o" }] });
    expect(await ask("How do I buy a train ticket?")).toMatchObject({
      cache_kind: "semantic",
      cache: { source_request_id: first.request_id },
      attempts: [{ provider: "local", trigger: "semantic_cache", outcome: "ok" }],
    });
    expect(await ask("How do I sell a train ticket?")).toMatchObject({ cached: false });
  });
});

it("the embedder that needs no provider is the default", () => {
  expect(completeCache().semantic.embedder).toBe(LEXICAL);
});
