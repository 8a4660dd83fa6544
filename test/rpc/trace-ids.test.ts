/** Every reply names the trace that its request belongs to, refusals included, and so does its log event, though nothing records spans here. */
import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { endOf, jobsAt } from "../support/job-callers.ts";

const KEY = "alice-in-0123456789";
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const MADE = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-00$/;

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth({}, { env: { LLMGATEWAY_API_KEYS: `alice=${KEY}` } });
});
afterAll(() => both[Symbol.asyncDispose]());

const HELLO: ChatInit = { model: "openai/gpt-4o", messages: [{ role: "user", content: "Hello" }] };
let calls = 0;

describe.each(CALLERS)("$name", ({ at }) => {
  /** @returns the parts of the reply's `traceparent`, and the log event of the request */
  async function traced(request: ChatInit, { key = KEY, traceparent = "" } = {}) {
    const requestId = `traced-${calls++}`;
    const headers = {
      authorization: `Bearer ${key}`,
      "x-request-id": requestId,
      ...(traceparent && { traceparent }),
    };
    const conversation = at(both.url);
    let received = new Headers();
    const options = { headers, onHeader: (given: Headers) => (received = given) };
    const failed = await conversation.chat(request, options).then(
      () => undefined,
      (error) => ConnectError.from(error),
    );
    const header = received.get("traceparent") ?? failed?.metadata.get("traceparent") ?? "";
    const [, traceId = "", spanId = ""] = MADE.exec(header) ?? [];
    expect(traceId, header).not.toBe("");
    const event = await both.log.about(requestId);
    expect(event).toMatchObject({ trace_id: traceId, span_id: spanId, trace_flags: "00" });
    return { traceId, spanId, event, failed };
  }

  it("continues the caller's trace with a span of its own", async () => {
    const { traceId, spanId, failed } = await traced(HELLO, { traceparent: `00-${TRACE}-${CALLER}-01` });
    expect(failed).toBeUndefined();
    expect(traceId).toBe(TRACE);
    expect(spanId).not.toBe(CALLER);
  });

  it("begins one where the caller has none", async () => {
    const [first, second] = [await traced(HELLO), await traced(HELLO)];
    expect(first.traceId).not.toBe(second.traceId);
  });

  it.each<[string, ChatInit, { key?: string }, string]>([
    ["a model that there is not", { ...HELLO, model: "nobody/gpt-4o" }, {}, "unknown_model"],
    ["a request that says nothing", { model: "openai/gpt-4o" }, {}, "invalid_request"],
    ["a wrong key", HELLO, { key: "mallory-out-0123456789" }, "unauthenticated"],
    [
      "a provider that fails",
      { ...HELLO, messages: [{ role: "user", content: "[[emulate: status=500]] Hello" }] },
      {},
      "provider_error",
    ],
  ])("names it to who is refused for %s", async (_, request, given, kind) => {
    const traceparent = `00-${TRACE}-${CALLER}-01`;
    const { traceId, event, failed } = await traced(request, { ...given, traceparent });
    expect(failed).toBeDefined();
    expect(traceId).toBe(TRACE);
    expect(event.failure_kind).toBe(kind);
  });
});

it("leads from a run of a job to a trace of its own", async () => {
  const authorization = `Bearer ${KEY}`;
  const headers = { authorization, traceparent: `00-${TRACE}-${CALLER}-01` };
  const client = jobsAt(both.url);
  const { jobId } = await client.submitJob(HELLO, { headers });
  await endOf(client, { jobId }, { headers: { authorization } });
  const event = await both.log.about(jobId);
  expect(event).toMatchObject({ method: "Job", trace_id: expect.stringMatching(/^(?!0{32})[0-9a-f]{32}$/) });
  expect(event.trace_id).not.toBe(TRACE);
});

describe("traceparent", () => {
  const post = (path: string, headers: Record<string, string>) =>
    fetch(both.url + path, { method: "POST", headers, body: "{}" });
  const idOf = (reply: Response) => MADE.exec(reply.headers.get("traceparent") ?? "")?.[1];

  it.each([
    ["a later version", `01-${TRACE}-${CALLER}-01-more`, true],
    ["a flag that is not known", `00-${TRACE}-${CALLER}-f0`, true],
    ["more than its version has", `00-${TRACE}-${CALLER}-01-more`, false],
    ["no version", `ff-${TRACE}-${CALLER}-01`, false],
    ["no trace", `00-${"0".repeat(32)}-${CALLER}-01`, false],
    ["no span", `00-${TRACE}-${"0".repeat(16)}-01`, false],
    ["capitals", `00-${TRACE.toUpperCase()}-${CALLER}-01`, false],
    ["words", "the one before", false],
  ])("with %s", async (_, traceparent, isTaken) => {
    const reply = await post("/v1/gateway/chat", { traceparent });
    expect(idOf(reply)).toBeDefined();
    expect(idOf(reply) === TRACE).toBe(isTaken);
  });

  it.each<[string, string, Record<string, string>]>([
    ["a path that there is not", "/v1/nowhere", {}],
    [
      "an RPC that there is not, by Connect",
      "/llmgateway.v1.Nobody/Ask",
      { "connect-protocol-version": "1" },
    ],
    ["one by gRPC-Web", "/llmgateway.v1.Nobody/Ask", { "content-type": "application/grpc-web" }],
    ["a timeout that is none", "/v1/gateway/chat", { "connect-timeout-ms": "soon" }],
  ])("is answered and logged for %s", async (_, path, headers) => {
    const reply = await post(path, { ...headers, traceparent: `00-${TRACE}-${CALLER}-01` });
    expect(idOf(reply)).toBe(TRACE);
    const event = await both.log.about(reply.headers.get("x-request-id") ?? "");
    expect(event).toMatchObject({ msg: "refused", trace_id: TRACE });
  });
});
