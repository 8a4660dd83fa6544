/** Bodies that cannot be read: each is told what is wrong with it, and leaves its connection in order. */
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import type { JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { CALLERS } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { envelope, rawGrpc } from "../support/grpc.ts";
import { http1 } from "../support/http.ts";

const REST = "/v1/gateway/chat";
const CONNECT = "/llmgateway.v1.GatewayService/Chat";
const JSON_TYPE = { "content-type": "application/json" };
const PROTO_TYPE = { "content-type": "application/proto" };

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

interface Bad {
  readonly what: string;
  readonly body: string | Uint8Array;
  readonly headers?: Record<string, string>;
  /** Expected over REST. */
  readonly rest?: Expected;
  /** Expected over Connect. */
  readonly connect?: Expected;
}

interface Expected {
  readonly http: number;
  readonly code: Code;
  readonly kind: string;
  readonly message: string | RegExp;
  readonly field?: string;
}

const INVALID = { http: 400, code: Code.InvalidArgument, kind: "invalid_request" };
const TOO_LARGE = {
  code: Code.ResourceExhausted,
  kind: "payload_too_large",
  message: /larger than 33554432/,
};

function deep(levels: number): string {
  return JSON.stringify({ ...GOOD, extra_body: {} }).replace(
    '"extra_body":{}',
    `"extra_body":{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`,
  );
}

const BODIES: readonly Bad[] = [
  {
    what: "malformed JSON",
    body: '{"messages": [}',
    rest: { ...INVALID, message: /^the body is not valid JSON/, field: "" },
    connect: { ...INVALID, message: "the body is not a valid JSON object", field: "" },
  },
  {
    what: "a wrong type",
    body: '{"messages": "Hello", "model": "openai"}',
    rest: { ...INVALID, message: "messages: must be a list, got a string", field: "messages" },
    connect: { ...INVALID, message: "messages: expected Array", field: "messages" },
  },
  {
    what: "a wrong type deep inside",
    body: '{"messages": [{"role": "user", "content": "Hello"}], "parameters": {"max_tokens": "many"}}',
    rest: {
      ...INVALID,
      message: "parameters.max_tokens: must be a whole number (int32), got a string",
      field: "parameters.max_tokens",
    },
    connect: { ...INVALID, message: /^max_tokens: expected number/, field: "max_tokens" },
  },
  {
    what: "an unknown field",
    body: '{"messages": [{"role": "user", "content": "Hello"}], "modell": "openai"}',
    rest: { ...INVALID, message: 'modell: unknown field "modell"; did you mean "model"?', field: "modell" },
  },
  {
    what: "a body that is no object",
    body: "[1]",
    rest: { ...INVALID, message: "the body must be a JSON object", field: "" },
    connect: { ...INVALID, message: "the body is not a valid JSON object", field: "" },
  },
  {
    what: "no body",
    body: "",
    rest: { ...INVALID, message: "the body is empty; send a JSON object", field: "" },
    connect: { ...INVALID, message: "the body is not a valid JSON object", field: "" },
  },
  {
    what: "a body that is not UTF-8",
    body: Buffer.from('{"messages": [{"role": "user", "content": "caf\xe9"}]}', "latin1"),
    rest: { ...INVALID, message: "the body is not UTF-8", field: "" },
    connect: { ...INVALID, message: "the body is not UTF-8", field: "" },
  },
  {
    what: "half of a character",
    body: '{"messages": [{"role": "user", "content": "caf\\ud83d"}], "model": "openai"}',
    rest: {
      ...INVALID,
      message: /^messages\[0\]\.content: has half of a character, .* cut texts between characters$/,
      field: "messages[0].content",
    },
    connect: { ...INVALID, message: /^content: has half of a character/, field: "content" },
  },
  {
    what: "JSON that is nested too deep",
    body: deep(64),
    rest: { ...INVALID, message: "the body is nested deeper than 64 levels", field: "" },
    connect: { ...INVALID, message: "the body is nested too deep", field: "" },
  },
  {
    what: "JSON that is nested without end",
    body: deep(200_000),
    rest: { ...INVALID, message: "the body is nested deeper than 64 levels", field: "" },
    connect: { ...INVALID, message: "the body is nested too deep", field: "" },
  },
  {
    what: "33 MB",
    body: `{"messages": [{"role": "user", "content": "${"x".repeat(33 * 1024 * 1024)}"}]}`,
    rest: { ...TOO_LARGE, http: 413 },
    connect: { ...TOO_LARGE, http: 429 },
  },
  {
    what: "a deadline that is no number",
    body: JSON.stringify(GOOD),
    headers: { "connect-timeout-ms": "soon" },
    rest: { ...INVALID, message: /^connect-timeout-ms: /, field: "connect-timeout-ms" },
  },
  {
    what: "a wrong content type",
    body: JSON.stringify(GOOD),
    headers: { "content-type": "text/plain" },
    rest: {
      http: 415,
      code: Code.InvalidArgument,
      kind: "unsupported_media_type",
      message: 'send the header "content-type: application/json", not text/plain',
    },
  },
  {
    what: "malformed Protobuf",
    body: Uint8Array.of(0x0a, 0xff, 0xff),
    headers: PROTO_TYPE,
    connect: { ...INVALID, message: "the body is not a valid Protobuf message", field: "" },
  },
  {
    what: "33 MB of Protobuf",
    body: new Uint8Array(33 * 1024 * 1024),
    headers: PROTO_TYPE,
    connect: { ...TOO_LARGE, http: 429 },
  },
];

async function expectRefusal(path: string, { body, headers }: Bad, expected: Expected): Promise<void> {
  const requestId = crypto.randomUUID();
  const reply = await http1(both.url + path, body, {
    headers: { ...JSON_TYPE, ...headers, "x-request-id": requestId },
  });
  const json: JsonValue = JSON.parse(await reply.text());
  expect(reply.status).toBe(expected.http);
  expect(reply.headers.get("content-type")).toBe("application/json");
  expect(json).toMatchObject({
    code: expect.any(String),
    message: expect.any(String),
    details: expect.any(Array),
  });
  const error = errorFromJson(json, undefined, new ConnectError("not an error of Connect", Code.Unknown));
  expect(error.code).toBe(expected.code);
  expect(error.rawMessage).toMatch(expected.message);
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: expected.kind, domain: "llmgateway" }]);
  const fields = error.findDetails(BadRequestSchema).map(({ fieldViolations }) => fieldViolations[0]?.field);
  expect(fields).toEqual(expected.field === undefined ? [] : [expected.field]);
}

describe("over REST", () => {
  const bad = BODIES.flatMap((one) => (one.rest ? [{ ...one, rest: one.rest }] : []));
  test.each(bad)("refuses $what", (one) => expectRefusal(REST, one, one.rest));
  test.each(bad)("refuses $what for a stream", (one) => expectRefusal("/v1/gateway/stream", one, one.rest));
});

describe("over Connect", () => {
  const bad = BODIES.flatMap((one) => (one.connect ? [{ ...one, connect: one.connect }] : []));
  test.each(bad)("refuses $what", (one) => expectRefusal(CONNECT, one, one.connect));

  test("refuses a wrong content type and a wrong method by status, as its protocol wants", async () => {
    const typed = await http1(both.url + CONNECT, "{}", { headers: { "content-type": "text/plain" } });
    const got = await fetch(both.url + CONNECT);
    expect([typed.status, got.status]).toEqual([415, 405]);
    await Promise.all([typed.text(), got.text()]);
  });
});

describe("over gRPC", () => {
  test("refuses malformed Protobuf", async () => {
    expect(await rawGrpc(both.url, envelope(Uint8Array.of(0x0a, 0xff, 0xff)))).toEqual({
      http: 200,
      status: Code.InvalidArgument,
      message: "the body is not a valid Protobuf message",
    });
  });

  test("refuses an envelope that breaks off", async () => {
    const broken = envelope(new Uint8Array(9)).subarray(0, 7);
    expect(await rawGrpc(both.url, broken)).toMatchObject({ http: 200, status: Code.InvalidArgument });
  });

  test("refuses a message that is too large by its head alone", async () => {
    const large = envelope(new Uint8Array()).fill(0xff, 1, 5);
    expect(await rawGrpc(both.url, large)).toMatchObject({ http: 200, status: Code.ResourceExhausted });
  });

  test("refuses a wrong content type by the status of HTTP", async () => {
    const body = envelope(new Uint8Array());
    const { http } = await rawGrpc(both.url, body, { "content-type": "application/grpc+xml" });
    expect(http).toBe(415);
  });

  test("refuses an unknown RPC by its own status", async () => {
    const path = "/llmgateway.v1.GatewayService/Shout";
    expect(await rawGrpc(both.url, envelope(new Uint8Array()), { ":path": path })).toEqual({
      http: 200,
      status: Code.Unimplemented,
      message: `there is no RPC at ${path}`,
    });
  });
});

describe("what was refused", () => {
  let small: GatewayUnderTest;
  beforeAll(async () => {
    small = await startBoth({ server: { max_body_bytes: 64 * 1024 } });
  });
  afterAll(() => small[Symbol.asyncDispose]());

  test.each(CALLERS)("leaves the connection in order: $name", async ({ at }) => {
    // One transport, so that the second call goes where the first left its body unread.
    const conversation = at(small.url);
    const large = { ...GOOD, messages: [{ role: "user", content: "x".repeat(4 * 1024 * 1024) }] };
    const error = await conversation.chat(large).then(() => undefined, ConnectError.from);
    expect(error?.code).toBe(Code.ResourceExhausted);
    expect(error?.rawMessage).toBe("the body is larger than 65536 bytes");
    expect(await conversation.chat(GOOD)).toMatchObject({ finishReason: "stop" });
  });

  test.each([
    ["REST", REST, "application/json"],
    ["server-sent events", "/v1/gateway/stream", "application/json"],
    ["Connect", CONNECT, "application/proto"],
    ["gRPC-Web", CONNECT, "application/grpc-web+proto"],
  ])("is read to its end, so that the next request is met behind it: %s", async (_, path, type) => {
    const { hostname, port } = new URL(small.url);
    const socket = connect(Number(port), hostname).setEncoding("latin1");
    const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\n`;
    const chunk = envelope(Buffer.alloc(999_995));
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    socket.write("\r\n0\r\n\r\nGET /v1/gateway/health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let text = "";
    for await (const piece of socket) {
      text += piece;
      if (text.includes('"alive"')) break;
    }
    expect(text).toMatch(/larger than 65536 bytes|grpc-status: 8/);
  });

  test("is not waited for over HTTP/2", async () => {
    const session = connectHttp2(small.url);
    const stream = session.request({ ":method": "POST", ":path": REST, ...JSON_TYPE });
    stream.write(Buffer.alloc(1_000_000));
    const [head] = await once(stream.resume(), "response");
    expect(head[":status"]).toBe(413);
    const repliedAtMs = performance.now();
    await once(stream, "close");
    expect(performance.now() - repliedAtMs).toBeLessThan(4_000);
    session.close();
  });

  test("is told once, without what the caller sent", async () => {
    const requestId = crypto.randomUUID();
    const secret = "the caller's own words";
    await http1(both.url + CONNECT, `{"messages": "${secret}"}`, {
      headers: { ...JSON_TYPE, "x-request-id": requestId },
    });
    expect(await both.log.about(requestId)).toMatchObject({
      failure_kind: "invalid_request",
      method: "Chat",
    });
    expect(both.log.events.filter((event) => event.request_id === requestId)).toHaveLength(1);
    expect(JSON.stringify(both.log.events)).not.toContain(secret);
  });
});
