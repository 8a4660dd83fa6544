/** How a key gets to the gateway, and that nobody else sees it. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Code, type Interceptor } from "../../../clients/typescript/src/gateway.ts";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { ask, failureOf, WAYS } from "./ways.ts";

const KEY = "key-of-the-tests";

let locked: GatewayUnderTest;
beforeAll(async () => {
  const sha256 = createHash("sha256").update(KEY).digest("hex");
  locked = await startBoth({ server: { host: "127.0.0.1" }, auth: { keys: [{ name: "tests", sha256 }] } });
});
afterAll(() => locked[Symbol.asyncDispose]());

describe.each(WAYS)("$name", ({ connect }) => {
  const gatewayWith = (apiKey: Parameters<typeof connect>[0]["apiKey"], interceptors: Interceptor[] = []) =>
    connect({ baseUrl: locked.url, apiKey, interceptors });

  test("a key opens the gateway; without one it says so", async () => {
    expect(await gatewayWith(KEY).getStatus()).toMatchObject({ status: "serving" });
    for (const none of [undefined, "", () => undefined]) {
      expect(await failureOf(gatewayWith(none).getStatus())).toMatchObject({
        kind: "unauthenticated",
        code: Code.Unauthenticated,
      });
    }
  });

  test("a function is asked for each call, so that keys may change", async () => {
    const keys = ["old", KEY];
    const gateway = gatewayWith(async () => keys.shift());
    expect((await failureOf(gateway.chat(ask("Hello")))).message).toBe("the API key is not known");
    expect(await gateway.stream(ask("Hello")).text()).toMatch(/^This is/);
    expect(keys).toEqual([]);
  });

  test("a function that fails is not taken for the gateway", async () => {
    const cause = new Error("the vault is closed");
    const failure = await failureOf(gatewayWith(() => Promise.reject(cause)).getStatus());
    expect(failure).toMatchObject({ kind: "not_sent", message: "the apiKey function failed", cause });
  });

  test("a function that never answers does not hold the call", async () => {
    const leaving = new AbortController();
    const gateway = gatewayWith(() => {
      queueMicrotask(() => leaving.abort());
      return new Promise(() => {});
    });
    expect(await failureOf(gateway.getStatus({}, { signal: leaving.signal }))).toMatchObject({
      kind: "cancelled",
    });
  });

  test("a key that no header can hold is not sent, nor repeated", async () => {
    const failure = await failureOf(gatewayWith("two words").getStatus());
    expect(failure).toMatchObject({
      kind: "not_sent",
      message: "the API key must be printable ASCII without spaces",
    });
  });

  test("the caller's own header goes before the key", async () => {
    const headers = { authorization: `Bearer ${KEY}`, "x-team": "search" };
    expect(await gatewayWith("wrong").getStatus({}, { headers })).toMatchObject({ status: "serving" });
  });

  test("interceptors see the headers and not the key", async () => {
    const seen: (string | null)[] = [];
    const look: Interceptor = (next) => (request) => {
      seen.push(request.header.get("x-team"), request.header.get("authorization"));
      return next(request);
    };
    await gatewayWith(KEY, [look]).getStatus({}, { headers: { "x-team": "search" } });
    expect(seen).toEqual(["search", null]);
  });
});
