/** Several keys of one provider, from the variable that holds them to the provider that refuses one. */
import { inspect } from "node:util";
import { create } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { RetryInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { systemClock } from "../../src/core/clock.ts";
import { Failure } from "../../src/core/failure.ts";
import { keyCredentials } from "../../src/providers/keys.ts";
import { VirtualClock } from "../support/clock.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const GOOD = "good-key-0123456789";
const OTHER = "other-key-012345678";
const BAD = "bad-key-9876543210";

function clientOf({ url }: GatewayUnderTest) {
  return createClient(GatewayService, createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
}

const ask = (content: string) => ({ model: "openai/gpt-4o", messages: [{ role: "user", content }] });

/** The HTTP status that the emulator gave to each call. */
function statuses({ emulator }: GatewayUnderTest): number[] {
  return emulator.meter.requests.map(({ status }) => status);
}

test("a key that is refused rests, and the next calls use the other", async () => {
  await using both = await startBoth(
    {},
    {
      env: { OPENAI_API_KEY: `${BAD},${GOOD}` },
      emulator: { apiKey: GOOD },
    },
  );
  const client = clientOf(both);
  const failure = await client.chat(ask("Hello")).catch((error: unknown) => error);
  expect(String(failure)).toContain("refused the gateway's credentials");
  for (let i = 0; i < 4; i++) expect((await client.chat(ask("Hello"))).finishReason).toBe("stop");
  expect(statuses(both)).toEqual([401, 200, 200, 200, 200]);
  const status = () => client.getStatus(create(GatewayService.method.getStatus.input));
  // It waits for two seconds, and tells by then that nothing is known yet.
  await expect
    .poll(async () => (await status()).providers.find(({ name }) => name === "openai")?.status)
    .toBe("available");
  const told = [String(failure), both.log.events, await status()];
  for (const key of [BAD, GOOD]) expect(inspect(told, { depth: null })).not.toContain(key);
});

test("a key that is limited rests for as long as the provider says", async () => {
  await using both = await startBoth(
    {},
    {
      env: { OPENAI_API_KEY: `${GOOD},${BAD}` },
      emulator: { apiKey: GOOD },
    },
  );
  const client = clientOf(both);
  const limited = ask("[[emulate: status=429 retry_after=60]] Hello");
  await expect(client.chat(limited)).rejects.toThrow("limits the rate");
  // The good one rests, so that the other is tried, and refused for five minutes.
  await expect(client.chat(ask("Hello"))).rejects.toThrow("credentials");
  // Now both rest, and the one that is free again first is used.
  expect((await client.chat(ask("Hello"))).finishReason).toBe("stop");
  expect(statuses(both)).toEqual([429, 401, 200]);
});

test("the calls of a session keep to one key, and take no other call's turn", async () => {
  await using both = await startBoth(
    { resilience: { retries: { max: 0 } } },
    { env: { OPENAI_API_KEY: `${BAD},${GOOD}` }, emulator: { apiKey: GOOD } },
  );
  const client = clientOf(both);
  const { prove } = keyCredentials([BAD, GOOD], () => ({}), systemClock);
  const sessionId = Array.from({ length: 50 }, (_, index) => `conversation-${index}`).find((id) => {
    const proof = prove({ path: "/", body: "", session: `internal\n${id}` });
    return "secret" in proof && proof.secret === GOOD;
  });
  for (let i = 0; i < 3; i++) await client.chat({ ...ask("Hello"), sessionId: sessionId ?? "" });
  await expect(client.chat(ask("Hello"))).rejects.toThrow("credentials");
  expect(statuses(both)).toEqual([200, 200, 200, 401]);
});

test("a call that was limited by one key is made again with the other at once, however long the first rests", async () => {
  const resilience = { retries: { max: 1, base_delay: "0.001s" } };
  const call = (both: GatewayUnderTest) =>
    clientOf(both).chat(ask("[[emulate: status=429 retry_after=60]] Hello")).catch(ConnectError.from);
  await using both = await startBoth({ resilience }, { env: { OPENAI_API_KEY: `${GOOD},${OTHER}` } });
  const failure = await call(both);
  expect(statuses(both)).toEqual([429, 429]);
  // Now both rest, and there is nobody else.
  expect(failure).toMatchObject({ rawMessage: expect.stringContaining("limits the rate") });
  const [info] = (failure as ConnectError).findDetails(RetryInfoSchema);
  expect(Number(info?.retryDelay?.seconds)).toBeGreaterThan(50);
  await using alone = await startBoth({ resilience }, { env: { OPENAI_API_KEY: GOOD } });
  await call(alone);
  expect(statuses(alone)).toEqual([429]);
});

test("a key rests for an hour at most, whatever the provider says", async () => {
  const clock = new VirtualClock();
  const credentials = keyCredentials([BAD, GOOD], () => ({}), clock);
  const used = async () => {
    const proof = await credentials.prove({ path: "/", body: "" });
    if (proof.secret === BAD)
      proof.onFailure?.(new Failure("provider_rate_limited", "no", { retryAfterMs: 1_764_500_000_000 }));
    return proof.secret;
  };
  expect([await used(), await used(), await used()]).toEqual([BAD, GOOD, GOOD]);
  await clock.advance(3_600_000);
  expect(new Set([await used(), await used()])).toEqual(new Set([BAD, GOOD]));
});
