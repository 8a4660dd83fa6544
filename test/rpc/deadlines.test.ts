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

const headersOf = (protocol: string, ms: number): Record<string, string> =>
  protocol.startsWith("grpc") ? { "grpc-timeout": `${ms / 1_000}S` } : { "connect-timeout-ms": String(ms) };
const HELLO = { messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" };

test.each(CALLERS)("a deadline in a hundred days is not due at once: $name", async ({ protocol, at }) => {
  const headers = headersOf(protocol, 100 * 86_400_000);
  expect(await at(both.url).chat(HELLO, { headers })).toMatchObject({ finishReason: "stop" });
});

test.each(CALLERS)("a deadline of nothing is due at once: $name", async ({ name, protocol, at }) => {
  const requestId = `late-${name.replaceAll(/\W/g, "-")}`;
  const headers = { "x-request-id": requestId, ...headersOf(protocol, 0) };
  const ask = { ...HELLO, messages: [{ role: "user", content: "[[emulate: delay_ms=5000]] Hello" }] };
  const error = await at(both.url)
    .chat(ask, { headers })
    .then(() => undefined, ConnectError.from);
  expect(error?.code).toBe(Code.DeadlineExceeded);
  expect(await both.log.about(requestId)).toMatchObject({ failure_kind: "deadline_exceeded" });
});
