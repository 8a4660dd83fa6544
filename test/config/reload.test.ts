import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import { samplesOf } from "../support/exposition.ts";
import { type Play, type ScriptedProvider, scriptedProvider } from "../support/provider.ts";
import { readEvents } from "../support/sse.ts";

/** Files are looked at every two seconds. */
const SOON = { timeout: 15_000, interval: 50 };

/** A gateway on a configuration and a catalog that can be written anew. */
async function watching(running: AsyncDisposableStack, config: object) {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-reload-"));
  running.defer(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "config.yaml");
  const catalog = join(folder, "prices.json");
  const write = (next: object | string) => {
    writeFileSync(
      file,
      typeof next === "string"
        ? next
        : JSON.stringify({ server: { port: 0 }, prices: { catalog_path: catalog }, ...next }),
    );
  };
  const writePrices = (version: string, input: number) => {
    const models = { "gpt-4o": { input_per_1k_tokens: input, output_per_1k_tokens: 0.01 } };
    writeFileSync(
      catalog,
      JSON.stringify({ version, last_updated: "2026-01-01", providers: { openai: models } }),
    );
  };
  writePrices("first", 0.001);
  write(config);
  const log: string[] = [];
  const gateway = await startGateway({
    file,
    env: { OPENAI_API_KEY: "key", LLMGATEWAY_DATA_DIR: join(folder, "data") },
    logTo: { write: (line) => void log.push(line) },
  });
  running.defer(() => gateway.close());
  /** Waits until so many reloads succeeded and failed. */
  const reloads = (expected: { true?: number; false?: number }) =>
    vi.waitFor(async () => {
      const text = await (await fetch(`${gateway.url}/v1/gateway/metrics`)).text();
      const wanted = Object.entries(expected).map(([success, count]) => [`success="${success}"`, count]);
      expect(samplesOf(text, "llm_config_reloads_total")).toEqual(Object.fromEntries(wanted));
    }, SOON);
  return { gateway, write, writePrices, catalog, log, reloads };
}

function post(gateway: Gateway, path: string, fields: object = {}): Promise<Response> {
  return fetch(gateway.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "openai/gpt-4o",
      messages: [{ role: "user", content: "Hello" }],
      ...fields,
    }),
  });
}

async function chat(gateway: Gateway, fields: object = {}) {
  const reply = await post(gateway, "/v1/gateway/chat", fields);
  return { remaining: reply.headers.get("ratelimit-remaining"), json: JSON.parse(await reply.text()) };
}

const saying = (content: string): Play => {
  const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }];
  return (reply) => {
    reply.writeHead(200, { "content-type": "application/json" });
    reply.end(JSON.stringify({ choices, usage: { prompt_tokens: 1_000, completion_tokens: 0 } }));
  };
};

const at = (provider: ScriptedProvider, rest: object = {}) => ({
  providers: { openai: { base_url: provider.origin } },
  ...rest,
});

describe.concurrent("a file that changes", () => {
  it("leads new calls another way, and drops no stream that is under way", async () => {
    await using running = new AsyncDisposableStack();
    const release = Promise.withResolvers<void>();
    const token = (content: string) =>
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;
    const old = running.use(
      await scriptedProvider(async (reply) => {
        reply.writeHead(200, { "content-type": "text/event-stream" }).write(token("Hello"));
        await release.promise;
        reply.write(token(" world"));
        reply.write('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n');
        reply.end("data: [DONE]\n\n");
      }),
    );
    const { gateway, write, reloads, log } = await watching(running, at(old));
    const stream = await post(gateway, "/v1/gateway/stream");
    const events = readEvents((stream.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()));
    const read = async () => JSON.parse((await events.next()).value?.data ?? "null");
    expect(await read()).toMatchObject({ token: "Hello" });

    write(at(running.use(await scriptedProvider(saying("I am new")))));
    await reloads({ true: 1 });
    expect((await chat(gateway)).json.response).toBe("I am new");
    expect(old.requests).toHaveLength(1);
    expect(log.join("")).toContain("configuration reloaded");

    release.resolve();
    expect(await read()).toMatchObject({ token: " world" });
    expect(await read()).toMatchObject({ done: true, finish_reason: "stop" });
  });

  it("keeps no more of what is said once it is switched off, and what was kept before", async () => {
    await using running = new AsyncDisposableStack();
    const provider = running.use(await scriptedProvider(saying("I was asked")));
    const config = (enabled: boolean) => at(provider, { content_capture: { enabled } });
    const { gateway, write, reloads } = await watching(running, config(true));
    const kept = async (id: string) => {
      const reply = await fetch(`${gateway.url}/v1/gateway/requests/${id}?include_text=true`);
      return ((await reply.json()) as { text?: object }).text;
    };
    const before = (await chat(gateway)).json.request_id;
    expect(await kept(before)).toMatchObject({ choices: [{ message: { content: "I was asked" } }] });
    write(config(false));
    await reloads({ true: 1 });
    expect(await kept((await chat(gateway)).json.request_id)).toBeUndefined();
    expect(await kept(before)).toBeDefined();
  });

  it("gives no answer of who is meant no longer, and holds the new bounds of what it keeps", async () => {
    await using running = new AsyncDisposableStack();
    const provider = running.use(await scriptedProvider(saying("I was asked")));
    const config = (target: string, max_entries: number) =>
      at(provider, {
        aliases: { fast: { targets: [{ target }] } },
        cache: { enabled: true, max_entries },
      });
    const { gateway, write, reloads } = await watching(running, config("openai/one", 10));
    for (const user of ["a", "b", "c"]) await chat(gateway, { extra_body: { user } });
    expect((await chat(gateway, { model: "fast" })).json).toMatchObject({ cached: false, model: "one" });
    expect((await chat(gateway, { model: "fast" })).json).toMatchObject({ cached: true, model: "one" });
    const kept = async () =>
      samplesOf(await (await fetch(`${gateway.url}/v1/gateway/metrics`)).text(), "llm_cache_entries")[""];
    expect(await kept()).toBe(4);

    write(config("openai/two", 2));
    await reloads({ true: 1 });
    expect(await kept()).toBe(2);
    expect((await chat(gateway, { model: "fast" })).json).toMatchObject({ cached: false, model: "two" });
    expect(await kept()).toBe(2);
    write(config("openai/one", 2));
    await reloads({ true: 2 });
    expect((await chat(gateway, { model: "fast" })).json).toMatchObject({ cached: true, model: "one" });
  });

  it("holds the new bound of the requests that are known", async () => {
    await using running = new AsyncDisposableStack();
    const provider = running.use(await scriptedProvider(saying("I was asked")));
    const config = (max_entries: number) =>
      at(provider, { cache: { enabled: true, semantic: { mode: "serve", max_entries } } });
    const { gateway, write, reloads } = await watching(running, config(10));
    const ask = async (content: string) =>
      (await chat(gateway, { messages: [{ role: "user", content }] })).json.cached;
    expect(await ask("How do I reset my password?")).toBe(false);
    expect(await ask("Is the library open?")).toBe(false);
    expect(await ask("What are the steps to reset my password?")).toBe(true);
    write(config(1));
    await reloads({ true: 1 });
    expect(await ask("Is the library open?")).toBe(true);
    expect(await ask("Which city is the capital of France?")).toBe(false);
    expect(await ask("Please, how do I reset my password?")).toBe(false);
  });

  it("changes nothing while it is bad, and raises a metric", async () => {
    await using running = new AsyncDisposableStack();
    const good = at(running.use(await scriptedProvider(saying("I am good"))));
    const { gateway, write, reloads, log } = await watching(running, good);
    const before = gateway.config;
    write("providers: {openai: {kind: nonsense}}");
    await reloads({ false: 1 });
    expect((await chat(gateway)).json.response).toBe("I am good");
    expect(gateway.config).toBe(before);
    const told = log.map((line) => JSON.parse(line)).filter(({ msg }) => msg.includes("refused"));
    expect(told).toMatchObject([{ level: 50, failure: expect.stringContaining("providers.openai.kind") }]);
    write(good);
    await reloads({ true: 1, false: 1 });
    expect(gateway.config).not.toBe(before);
  });

  it("opens the gateway to nobody: neither while it is half written, nor without its keys", async () => {
    await using running = new AsyncDisposableStack();
    const good = at(running.use(await scriptedProvider(saying("I am good"))), {
      auth: { keys: [{ name: "ann", sha256: createHash("sha256").update("secret").digest("hex") }] },
    });
    const { gateway, write, reloads, log } = await watching(running, good);
    const { auth, ...open } = good as Record<string, unknown>;
    for (const [index, next] of ["", open].entries()) {
      write(next as string | object);
      await reloads({ false: index + 1 });
      expect((await post(gateway, "/v1/gateway/chat")).status).toBe(401);
    }
    expect(log.join("")).toContain("auth.keys: are gone");
    write(good);
    await reloads({ true: 1, false: 2 });
    expect((await post(gateway, "/v1/gateway/chat")).status).toBe(401);
  });

  it("may take a key away before the budgets that are about it, of which it then tells", async () => {
    await using running = new AsyncDisposableStack();
    const provider = running.use(await scriptedProvider(saying("I am good")));
    const keyOf = (name: string) => ({ name, sha256: createHash("sha256").update(name).digest("hex") });
    const budgets = [{ name: "his", key: "bob", limit_usd: 1, per: "day" }];
    const { write, reloads, log } = await watching(
      running,
      at(provider, { auth: { keys: [keyOf("ann"), keyOf("bob")] }, budgets }),
    );
    expect(log.join("")).not.toContain("counts nothing");
    write(at(provider, { auth: { keys: [keyOf("ann")] }, budgets }));
    await reloads({ true: 1 });
    const told = log.map((line) => JSON.parse(line)).filter(({ msg }) => msg.includes("counts nothing"));
    expect(told).toMatchObject([{ level: 40, budget: "his", key: "bob" }]);
  });

  it("leads nobody elsewhere while it holds nothing yet", async () => {
    await using running = new AsyncDisposableStack();
    const good = at(running.use(await scriptedProvider(saying("I am good"))));
    const { gateway, write, reloads, log } = await watching(running, good);
    for (const [index, next] of ["", "# Who may call.\n"].entries()) {
      write(next);
      await reloads({ false: index + 1 });
      expect((await chat(gateway)).json.response).toBe("I am good");
    }
    expect(log.join("")).toContain("holds nothing");
    write(good);
    await reloads({ true: 1, false: 2 });
  });

  it("brings new prices, and none that are wrong", async () => {
    await using running = new AsyncDisposableStack();
    const { gateway, writePrices, catalog, reloads } = await watching(
      running,
      at(running.use(await scriptedProvider(saying("Hello")))),
    );
    expect((await chat(gateway)).json.cost).toMatchObject({ actual_usd: 0.001, price_version: "first" });
    writePrices("second", 0.002);
    await reloads({ true: 1 });
    expect((await chat(gateway)).json.cost).toMatchObject({ actual_usd: 0.002, price_version: "second" });
    writeFileSync(catalog, readFileSync(catalog, "utf8").replace("0.002", '"free"'));
    await reloads({ true: 1, false: 1 });
    expect((await chat(gateway)).json.cost).toMatchObject({ actual_usd: 0.002, price_version: "second" });
  });

  it("may name another catalog, which is then the one that is watched, also where it was wrong at first", async () => {
    await using running = new AsyncDisposableStack();
    const provider = running.use(await scriptedProvider(saying("Hello")));
    const { gateway, write, catalog, reloads } = await watching(running, at(provider));
    const other = `${catalog}.other.json`;
    const old = readFileSync(catalog, "utf8");
    writeFileSync(other, old.replace("0.001", '"free"'));
    write(at(provider, { prices: { catalog_path: other } }));
    await reloads({ false: 1 });
    writeFileSync(other, old.replace("first", "second").replace("0.001", "0.002"));
    await reloads({ true: 1, false: 1 });
    expect((await chat(gateway)).json.cost).toMatchObject({ actual_usd: 0.002, price_version: "second" });
    writeFileSync(other, old.replace("first", "third").replace("0.001", "0.003"));
    await reloads({ true: 2, false: 1 });
    expect((await chat(gateway)).json.cost).toMatchObject({ actual_usd: 0.003, price_version: "third" });
  });

  it("keeps the count of requests, unless the limits themselves change", async () => {
    await using running = new AsyncDisposableStack();
    const one = running.use(await scriptedProvider(saying("Hello")));
    const { gateway, write, reloads } = await watching(running, at(one, { rate_limit: { rpm: 10 } }));
    expect((await chat(gateway)).remaining).toBe("9");
    write(at(one, { rate_limit: { rpm: 10 }, default_model: "openai/gpt-4o" }));
    await reloads({ true: 1 });
    expect((await chat(gateway)).remaining).toBe("8");
    write(at(one, { rate_limit: { rpm: 20 } }));
    await reloads({ true: 2 });
    expect((await chat(gateway)).remaining).toBe("19");
  });

  it("keeps the count of requests when other limits come with what is refused", async () => {
    await using running = new AsyncDisposableStack();
    const one = running.use(await scriptedProvider(saying("Hello")));
    const limited = (rpm: number) => at(one, { rate_limit: { rpm } });
    const { gateway, write, writePrices, catalog, reloads } = await watching(running, limited(10));
    expect((await chat(gateway)).remaining).toBe("9");
    writeFileSync(catalog, "{}");
    await reloads({ false: 1 });
    write(limited(2));
    await reloads({ false: 2 });
    expect((await chat(gateway)).remaining).toBe("8");
    write(limited(10));
    await reloads({ false: 3 });
    writePrices("second", 0.002);
    await reloads({ true: 1, false: 3 });
    expect((await chat(gateway)).remaining).toBe("7");
  });

  it("makes room for those who wait, and keeps who is under way", async () => {
    await using running = new AsyncDisposableStack();
    const release = Promise.withResolvers<void>();
    const one = running.use(
      await scriptedProvider(async (reply, request) => {
        if (one.requests.length === 1) await release.promise;
        await saying("Hello")(reply, request);
      }),
    );
    const limited = (max_in_flight: number) => at(one, { resilience: { limit: { max_in_flight } } });
    const { gateway, write, reloads } = await watching(running, limited(1));
    running.defer(() => release.resolve());
    const shown = async (metric: string) =>
      samplesOf(await (await fetch(`${gateway.url}/v1/gateway/metrics`)).text(), metric)[
        'model="",provider="openai"'
      ];
    const first = chat(gateway);
    await vi.waitFor(() => expect(one.requests).toHaveLength(1), SOON);
    const second = chat(gateway);
    await vi.waitFor(async () => expect(await shown("llm_concurrency_queued")).toBe(1), SOON);
    write(limited(2));
    expect((await second).json.response).toBe("Hello");
    await reloads({ true: 1 });
    expect(await shown("llm_concurrency_limit")).toBe(2);
    expect(await shown("llm_concurrency_in_flight")).toBe(1);
    write(at(one));
    await reloads({ true: 2 });
    expect(await shown("llm_concurrency_limit")).toBeUndefined();
    release.resolve();
    expect((await first).json.response).toBe("Hello");
  });
});
