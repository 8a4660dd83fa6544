/** The client's calls for operators of the cache: what they give, throw and end. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { WarmCacheResponse } from "../../../clients/typescript/src/gateway.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { ask, failureOf, WAYS } from "./ways.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth({ cache: { enabled: true } });
});
afterAll(() => both[Symbol.asyncDispose]());

const slow = (content: string) => ask(`[[emulate: delay_ms=20000]] ${content}`);

describe.each(WAYS)("$name", ({ name, connect }) => {
  const open = () => connect({ baseUrl: both.url });

  test("warms, tells what is kept, and lets go of it", async () => {
    const gateway = open();
    await gateway.clearCache({ all: true });
    const requests = [ask("One"), ask("Two")];
    const events: WarmCacheResponse[] = [];
    for await (const event of gateway.warmCache({ requests, concurrency: 1, maxCostUsd: 1 }))
      events.push(event);
    expect(events.map(({ request, done }) => request?.outcome ?? done)).toEqual(["kept", "kept", true]);
    expect(await gateway.chat(ask("One"))).toMatchObject({ cached: true, cacheKind: "exact" });
    expect(await gateway.getCacheStats()).toMatchObject({ enabled: true, entries: 2 });
    expect(await gateway.clearCache({ model: "openai/gpt-4o" })).toMatchObject({ cleared: 2n });
  });

  test("throws what is refused, before and within", async () => {
    const refused = await failureOf(open().clearCache({}));
    expect(refused.violations).toMatchObject([{ field: "all" }]);
    const empty = await failureOf(Array.fromAsync(open().warmCache({})));
    expect(empty).toMatchObject({ kind: "invalid_request", violations: [{ field: "requests" }] });
    const events: WarmCacheResponse[] = [];
    const late = async () => {
      const requests = [ask(`Soon, by ${name}`), slow(name)];
      const warming = open().warmCache({ requests, concurrency: 2 }, { timeoutMs: 1_500 });
      for await (const event of warming) events.push(event);
    };
    expect(await failureOf(late())).toMatchObject({ kind: "deadline_exceeded" });
    expect(events.map(({ request }) => request?.outcome)).toEqual(["kept"]);
  });

  test("ends it at the gateway when the reader leaves", async () => {
    const mark = `left by ${name.replaceAll(" ", "-").toLowerCase()}`;
    const ended = () => both.log.events.filter(({ outcome }) => outcome === "abandoned").length;
    const before = ended();
    const requests = [ask(mark), slow(`${mark}, one`), slow(`${mark}, two`)];
    for await (const { request } of open().warmCache({ requests, concurrency: 3 })) {
      expect(request?.outcome).toBe("kept");
      break;
    }
    await vi.waitFor(() => expect(ended()).toBe(before + 2));
  });
});
