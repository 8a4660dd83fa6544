/** A caller's deadline is known to what waits for a call: nothing is waited for that comes too late. */
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CALLERS } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

/** Long enough for a busy machine, and sooner than the provider wants to be asked again. */
const DEADLINE_MS = 20_000;
const ASK = {
  messages: [{ role: "user", content: "[[emulate: status=429 retry_after=30]] Hello" }],
  model: "openai/gpt-4o",
};

let both: GatewayUnderTest;
beforeAll(async () => {
  const retries = { max: 1, max_delay: "60s" };
  both = await startBoth({ resilience: { retries, circuit_breaker: { enabled: false } } });
});
afterAll(() => both[Symbol.asyncDispose]());

test.each(CALLERS)("a retry is not waited for that the deadline forbids: $name", async ({ protocol, at }) => {
  const headers: Record<string, string> = protocol.startsWith("grpc")
    ? { "grpc-timeout": `${DEADLINE_MS}m` }
    : { "connect-timeout-ms": String(DEADLINE_MS) };
  both.emulator.meter.reset();
  const error = await at(both.url)
    .chat(ASK, { headers })
    .then(() => undefined, ConnectError.from);
  expect(error?.code).toBe(Code.ResourceExhausted);
  expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "provider_rate_limited" }]);
  expect(both.emulator.meter.requests).toHaveLength(1);
});

test.each(CALLERS)("a deadline that is weeks away ends nothing: $name", async ({ protocol, at }) => {
  const headers: Record<string, string> = protocol.startsWith("grpc")
    ? { "grpc-timeout": "2592000S" }
    : { "connect-timeout-ms": "2592000000" };
  const ask = { ...ASK, messages: [{ role: "user", content: "Hello" }] };
  expect(await at(both.url).chat(ask, { headers })).toMatchObject({ finishReason: "stop" });
});
