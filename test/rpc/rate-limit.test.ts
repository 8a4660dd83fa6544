/** How often a caller may call: counted for each key, told on every protocol in headers and details. */
import { createHash } from "node:crypto";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CALLERS } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";

const HELLO = { messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" };

let both: GatewayUnderTest;
beforeAll(async () => {
  // A key for each way in, so that none uses up what another may call.
  const keys = CALLERS.map(({ name }, index) => ({ name: `team-${index}`, sha256: sha256(name) }));
  both = await startBoth({ auth: { keys }, rate_limit: { rpm: 2 }, server: { host: "127.0.0.1" } });
});
afterAll(() => both[Symbol.asyncDispose]());

function sha256(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

test.each(CALLERS)("the third call of two a minute is refused: $name", async ({ name, at }) => {
  const conversation = at(both.url);
  const told: Headers[] = [];
  const options = { headers: { "x-api-key": name }, onHeader: (headers: Headers) => void told.push(headers) };
  await conversation.chat(HELLO, options);
  for await (const _ of conversation.stream(HELLO, options));
  expect(told.map((headers) => headers.get("ratelimit-limit"))).toEqual(["2", "2"]);
  expect(told.map((headers) => headers.get("ratelimit-remaining"))).toEqual(["1", "0"]);
  const called = both.emulator.meter.requests.length;

  const streamed = async () => {
    for await (const event of conversation.stream(HELLO, options)) expect.fail(JSON.stringify(event));
  };
  for (const answer of [() => conversation.chat(HELLO, options), streamed]) {
    const error = await answer().then(() => undefined, ConnectError.from);
    expect.assert(error);
    expect(error.code).toBe(Code.ResourceExhausted);
    expect(error.rawMessage).toMatch(/^more than 2 requests a minute; try again in \d+ s$/);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "rate_limited" }]);
    const [retryInfo] = error.findDetails(RetryInfoSchema);
    expect.assert(retryInfo?.retryDelay);
    const delayMs = durationMs(retryInfo.retryDelay);
    expect(delayMs).toBeGreaterThan(0);
    expect(delayMs).toBeLessThanOrEqual(60_000);
    expect(Number(error.metadata.get("retry-after"))).toBe(Math.ceil(delayMs / 1000));
    expect(error.metadata.get("ratelimit-remaining")).toBe("0");
    expect(Number(error.metadata.get("ratelimit-reset"))).toBe(Math.ceil(delayMs / 1000));
  }
  expect(both.emulator.meter.requests).toHaveLength(called);
});

test("without keys, it is counted for each address, and a burst comes on top", async () => {
  await using open = await startBoth({ rate_limit: { rpm: 1, burst: 2 } });
  const statuses: number[] = [];
  for (let call = 0; call < 4; call++) {
    const reply = await http1(`${open.url}/v1/gateway/chat`, JSON.stringify(HELLO));
    statuses.push(reply.status);
    await reply.text();
  }
  expect(statuses).toEqual([200, 200, 200, 429]);
  // What costs nothing is not counted.
  expect((await fetch(`${open.url}/v1/gateway/models`)).status).toBe(200);
});
