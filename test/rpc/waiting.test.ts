/** Calls that wait for a connection to the provider: those that end before they get one never reach it, and are free. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CALLERS, type Caller, type ChatInit } from "../support/callers.ts";
import { samplesOf } from "../support/exposition.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { gather } from "../support/gather.ts";
import { type Held, startUpstream, type Upstream } from "../support/upstream.ts";

const DEADLINE_MS = 200;
interface Leaving {
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

const ASK = { messages: [{ role: "user", content: "Tell me all of it" }], model: "narrow/gpt-4o" };

let upstream: Upstream;
let both: GatewayUnderTest;
beforeAll(async () => {
  upstream = await startUpstream();
  both = await startBoth({
    providers: {
      narrow: { kind: "openai_compatible", base_url: upstream.url, prices: "openai", max_connections: 1 },
    },
  });
});
afterAll(async () => {
  await both[Symbol.asyncDispose]();
  await upstream[Symbol.asyncDispose]();
});

describe.each(CALLERS)("$name", (caller) => {
  test("who leaves, or runs out of time, pays nothing; who stays is served", async () => {
    const conversation = caller.at(both.url);
    const first = gather(conversation.stream(ASK));
    const held = await upstream.next();
    const leaving = new AbortController();
    const cancelled = wait(caller, { signal: leaving.signal });
    const last = gather(conversation.stream(ASK));
    await arrived(3);
    leaving.abort();
    const waiting = {
      cancelled,
      deadline: wait(caller, { headers: deadlineOf(caller) }),
      timeout: wait(caller, {}, { ...ASK, timeoutMs: DEADLINE_MS }),
    };
    for (const [why, requestId] of Object.entries(waiting)) {
      expect(await both.log.about(requestId)).toMatchObject({
        failure_kind: why === "cancelled" ? "cancelled" : "deadline_exceeded",
        operator: "it was still waiting for a connection to the provider",
        attempts: 1,
        input_tokens: 0,
        output_tokens: 0,
        cost_pico_usd: "0",
        provenance: "measured",
      });
    }
    finish(held);
    // The very next that the provider sees is the last one: it knows nothing of those between.
    finish(await upstream.next());
    for (const { gathered, error } of await Promise.all([first, last])) {
      expect(error).toBeUndefined();
      expect(gathered).toMatchObject([{ token: "Once" }, { done: true }]);
    }
  });
});

/** A call that will not be there any more when its turn comes. */
function wait(caller: Caller, { headers, signal }: Leaving, request: ChatInit = ASK): string {
  const requestId = crypto.randomUUID();
  const options = { headers: { "x-request-id": requestId, ...headers }, ...(signal ? { signal } : {}) };
  void gather(caller.at(both.url).stream(request, options));
  return requestId;
}

/** As a header alone, so that no timer of the client's own is faster than the gateway's. */
function deadlineOf({ protocol }: Caller): Record<string, string> {
  return protocol.startsWith("grpc")
    ? { "grpc-timeout": `${DEADLINE_MS}m` }
    : { "connect-timeout-ms": String(DEADLINE_MS) };
}

/** So many calls are under way in the gateway. */
async function arrived(count: number): Promise<void> {
  const inFlight = async () => {
    const reply = await fetch(`${both.url}/v1/gateway/metrics`);
    return samplesOf(await reply.text(), "llm_requests_in_flight")['route="stream"'];
  };
  await expect.poll(inFlight).toBe(count);
}

function finish(held: Held): void {
  held.say("Once");
  held.end();
}
