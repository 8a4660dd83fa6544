/** Requests that cannot be served: each has its code, a message that says what to mend, and no effect on the next. */
import { hash } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ConformanceService } from "../../gen/conformance/connectrpc/conformance/v1/service_pb.ts";
import { BadRequestSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CALLERS, type ChatInit } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";
import { TRANSPORTS } from "../support/transports.ts";

const REST = "/v1/gateway/chat";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both[Symbol.asyncDispose]());

const GOOD = { messages: [{ role: "user", content: "Hello" }], model: "openai/gpt-4o" };

afterEach(async () => {
  const reply = await http1(both.url + REST, JSON.stringify(GOOD));
  expect(JSON.parse(await reply.text())).toMatchObject({ finish_reason: "stop" });
});

/** What no rule, field or model allows; the same on every protocol. */
const REFUSED: readonly (readonly [
  what: string,
  request: ChatInit,
  code: Code,
  field: string,
  says: string,
])[] = [
  ["no messages", { ...GOOD, messages: [] }, Code.InvalidArgument, "messages", "at least 1 item"],
  [
    "an unknown role",
    { ...GOOD, messages: [{ role: "robot", content: "Hello" }] },
    Code.InvalidArgument,
    "messages[0].role",
    "system, developer, user, assistant, tool",
  ],
  [
    "negative max_tokens",
    { ...GOOD, parameters: { maxTokens: -1 } },
    Code.InvalidArgument,
    "parameters.max_tokens",
    "must be greater than 0",
  ],
  [
    "a max_cost_usd of nothing",
    { ...GOOD, maxCostUsd: 0 },
    Code.InvalidArgument,
    "max_cost_usd",
    "greater than 0",
  ],
  [
    "an empty part",
    { ...GOOD, messages: [{ role: "user", parts: [{}] }] },
    Code.InvalidArgument,
    "messages[0].parts[0].part",
    "required",
  ],
  [
    "a tool with two schemas",
    { ...GOOD, tools: [{ name: "look", parameters: {}, parametersJson: "{}" }] },
    Code.InvalidArgument,
    "tools[0]",
    "only one of parameters, parameters_json can be set",
  ],
  ["an unknown model", { ...GOOD, model: "gpt-9" }, Code.NotFound, "model", '"gpt-9" is neither a provider'],
  [
    "an unknown provider",
    { ...GOOD, model: "nobody", modelVersion: "gpt-4o" },
    Code.NotFound,
    "model",
    'there is no provider "nobody"; the providers are openai',
  ],
  [
    "a max_cost_usd that affords nothing",
    { ...GOOD, maxCostUsd: 1e-9 },
    Code.ResourceExhausted,
    "max_cost_usd",
    "affords no reply from openai/gpt-4o",
  ],
];

describe.each(CALLERS)("$name", ({ at }) => {
  test.each(REFUSED)("refuses %s", async (_, request, code, field, says) => {
    const conversation = at(both.url);
    const streamed = async () => {
      for await (const event of conversation.stream(request))
        expect.fail(`streamed ${JSON.stringify(event)}`);
    };
    for (const answer of [() => conversation.chat(request), streamed]) {
      const error = await answer().then(() => undefined, ConnectError.from);
      expect.assert(error);
      expect(error.code).toBe(code);
      expect(error.rawMessage).toContain(says);
      const violations = error
        .findDetails(BadRequestSchema)
        .flatMap(({ fieldViolations }) => fieldViolations);
      expect(violations).toMatchObject([{ field, description: expect.stringContaining(says) }]);
    }
  });

  test("tells as many faults as every protocol can bear, however many there are", async () => {
    const messages = Array.from({ length: 5_000 }, () => ({ role: "robot", content: "Hello" }));
    const error = await at(both.url)
      .chat({ ...GOOD, messages })
      .then(() => undefined, ConnectError.from);
    expect.assert(error);
    expect([error.code, error.rawMessage]).toEqual([
      Code.InvalidArgument,
      expect.stringContaining("messages[0].role: must be in list"),
    ]);
    expect(error.rawMessage).toContain("(and 4999 more)");
    const [violations] = error.findDetails(BadRequestSchema);
    expect(violations?.fieldViolations).toHaveLength(20);
  });

  test("tells of fields that a caller named at length", async () => {
    const metadata = { ["k".repeat(100_000)]: "v" };
    const error = await at(both.url)
      .chat({ ...GOOD, metadata })
      .then(() => undefined, ConnectError.from);
    expect.assert(error);
    expect([error.code, error.rawMessage]).toEqual([
      Code.InvalidArgument,
      expect.stringMatching(/^metadata\["k+…: /),
    ]);
  });
});

test("Chat refuses a stream, and names the RPC that streams", async () => {
  const grpc = CALLERS.find(({ protocol }) => protocol === "grpc");
  const error = await grpc
    ?.at(both.url)
    .chat({ ...GOOD, stream: true })
    .catch(ConnectError.from);
  expect.assert(error instanceof ConnectError);
  expect(error.code).toBe(Code.InvalidArgument);
  expect(error.rawMessage).toBe("stream: must be false here: call Stream for a stream");
});

describe("over REST", () => {
  test.each([
    ["/v1/gateway/chat", "GET", 405, "unimplemented", "/v1/gateway/chat takes POST, not GET"],
    ["/v1/gateway/models", "DELETE", 405, "unimplemented", "/v1/gateway/models takes GET, not DELETE"],
    ["/v1/gateway/chats", "POST", 404, "not_found", "there is nothing at /v1/gateway/chats"],
    ["/", "POST", 404, "not_found", "there is nothing at /"],
    ["/v1/gateway/%zz", "GET", 404, "not_found", "there is nothing at /v1/gateway/%zz"],
    ["/llmgateway.v1.GatewayService/Shout", "POST", 404, "not_found", /^there is nothing at .*Shout$/],
  ])("%s by %s is %i", async (path, method, status, code, message) => {
    const reply = await fetch(both.url + path, { method, ...(method === "POST" ? { body: "{}" } : {}) });
    expect(reply.status).toBe(status);
    const json = (await reply.json()) as { message: string };
    expect(json).toMatchObject({ code });
    expect(json.message).toMatch(message);
  });
});

describe("an RPC that nobody serves is not implemented", () => {
  const UNKNOWN = "/connectrpc.conformance.v1.ConformanceService/";
  test.each(TRANSPORTS)("over %s", async (_, at) => {
    const told = both.log.events.length;
    const client = createClient(ConformanceService, at(both.url));
    const unary = await client.unary({}).then(() => expect.fail(), ConnectError.from);
    expect([unary.code, unary.rawMessage]).toEqual([
      Code.Unimplemented,
      `there is no RPC at ${UNKNOWN}Unary`,
    ]);
    const stream = client.serverStream({})[Symbol.asyncIterator]();
    await expect(stream.next()).rejects.toMatchObject({ code: Code.Unimplemented });
    expect(both.log.events.slice(told)).toMatchObject([
      { failure_kind: "not_found", failure: `there is no RPC at ${UNKNOWN}Unary` },
      { failure_kind: "not_found", failure: `there is no RPC at ${UNKNOWN}ServerStream` },
    ]);
  });
});

test.each([
  ["no host, by HTTP/1.0", "HTTP/1.0", ""],
  ["an empty host", "HTTP/1.1", "host: \r\n"],
  ["a host that is none", "HTTP/1.1", "host: a b<>\r\n"],
  ["a port that is none", "HTTP/1.1", "host: gateway:99999\r\n"],
])("an RPC is answered with %s", async (_, version, host) => {
  // Without keys it would answer to its own names alone.
  const keys = [{ name: "team", sha256: hash("sha256", "a-key") }];
  await using keyed = await startBoth({ auth: { keys }, server: { host: "127.0.0.1" } });
  const body = JSON.stringify(GOOD);
  const socket = connect(Number(new URL(keyed.url).port), "127.0.0.1");
  socket.write(
    `POST /llmgateway.v1.GatewayService/Chat ${version}\r\n${host}content-type: application/json\r\nx-api-key: a-key\r\n`,
  );
  socket.write(`content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
  expect(await text(socket)).toMatch(/^HTTP\/1.1 200 OK/);
});
