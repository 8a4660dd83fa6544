/** gRPC server reflection, asked as its clients ask it: the contract is told in full, and nothing else. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { createFileRegistry, type DescFile, fromBinary, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { file_grpc_health_v1_health } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import * as v1 from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import * as v1alpha from "../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { file_llmgateway_v1_admin } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { file_llmgateway_v1_gateway } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const SERVICES = [
  "grpc.health.v1.Health",
  "grpc.reflection.v1.ServerReflection",
  "grpc.reflection.v1alpha.ServerReflection",
  "llmgateway.v1.AdminService",
  "llmgateway.v1.GatewayService",
];
const ROOTS: readonly DescFile[] = [
  file_llmgateway_v1_admin,
  file_llmgateway_v1_gateway,
  file_grpc_health_v1_health,
  v1.file_grpc_reflection_v1_reflection,
  v1alpha.file_grpc_reflection_v1alpha_reflection,
];
/** All that is served, and all that it is made of. */
const FILES = new Set(ROOTS);
for (const file of FILES) for (const imported of file.dependencies) FILES.add(imported);

/** What there is in a file, by full names. */
function symbolsOf(file: DescFile): string[] {
  return [...nestedTypes(file)].flatMap((type) => {
    const inside = (names: { name: string }[]) => names.map(({ name }) => `${type.typeName}.${name}`);
    const scope = type.typeName.slice(0, type.typeName.lastIndexOf("."));
    if (type.kind === "message") return [type.typeName, ...inside(type.fields), ...inside(type.oneofs)];
    if (type.kind === "service") return [type.typeName, ...inside(type.methods)];
    if (type.kind === "enum") return [type.typeName, ...type.values.map(({ name }) => `${scope}.${name}`)];
    return [type.typeName];
  });
}

/** All of it: options that this side does not know are in it, too. */
function bytesOf({ proto }: DescFile): Uint8Array {
  return toBinary(FileDescriptorProtoSchema, proto);
}

let both: GatewayUnderTest;
beforeAll(async () => {
  const keys = [{ name: "team", sha256: "0".repeat(64) }];
  both = await startBoth({ auth: { keys }, server: { host: "127.0.0.1" } });
});
afterAll(() => both[Symbol.asyncDispose]());

type Question = v1.ServerReflectionRequest["messageRequest"];

async function* requests(questions: readonly Question[]) {
  for (const messageRequest of questions) yield { host: "example", messageRequest };
}

function extension(containingType: string, extensionNumber: number): Question {
  // Plain, so that it is a message of either version.
  const value = { containingType, extensionNumber } as v1.ExtensionRequest;
  return { case: "fileContainingExtension", value };
}

describe.each([
  ["v1", v1.ServerReflection],
  ["v1alpha", v1alpha.ServerReflection as unknown as typeof v1.ServerReflection],
])("%s", (_, service) => {
  /** All on one stream, which the caller ends with the last. */
  async function ask(...questions: Question[]) {
    const client = createClient(service, createGrpcTransport({ baseUrl: both.url }));
    const responses: v1.ServerReflectionResponse[] = [];
    for await (const response of client.serverReflectionInfo(requests(questions))) responses.push(response);
    return responses;
  }

  async function answers(...questions: Question[]) {
    return (await ask(...questions)).map(({ messageResponse }) => messageResponse);
  }

  async function filesFor(...questions: Question[]) {
    return (await answers(...questions)).map((answer) => {
      if (answer.case !== "fileDescriptorResponse") return expect.fail(JSON.stringify(answer));
      return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    });
  }

  const symbol = (value: string): Question => ({ case: "fileContainingSymbol", value });
  const file = (value: string): Question => ({ case: "fileByFilename", value });

  test("lists every service", async () => {
    const [answer] = await answers({ case: "listServices", value: "" });
    expect(answer).toMatchObject({
      case: "listServicesResponse",
      value: { service: SERVICES.map((name) => ({ name })) },
    });
  });

  test("knows the file of every symbol, also of what is imported", async () => {
    const expected = [...FILES].flatMap((one) => symbolsOf(one).map((name) => [name, one.proto.name]));
    const found = await filesFor(...expected.map(([name = ""]) => symbol(name)));
    expect(found.map(([first], i) => [expected[i]?.[0], first?.name])).toEqual(expected);
    expect(expected.length).toBeGreaterThan(500);
  });

  test("knows every file by its name", async () => {
    const names = [...FILES].map(({ proto }) => proto.name);
    const found = await filesFor(...names.map(file));
    expect(found.map(([first]) => first?.name)).toEqual(names);
  });

  test("tells a contract that is complete, and just as it is", async () => {
    for (const root of ROOTS) {
      const [files = []] = await filesFor(file(root.proto.name));
      const byName = new Map(files.map((one) => [one.name, one]));
      // Throws where an import is missing.
      const build = (name: string): DescFile | undefined => {
        const proto = byName.get(name);
        return proto && createFileRegistry(proto, build).getFile(name);
      };
      const told = build(root.proto.name);
      expect(told && symbolsOf(told)).toEqual(symbolsOf(root));
      expect(told && bytesOf(told)).toEqual(bytesOf(root));
    }
  });

  test("tells an import once on a stream, and what is asked for each time", async () => {
    const chat = "llmgateway/v1/chat.proto";
    const [first = [], second = [], third = []] = await filesFor(
      symbol("llmgateway.v1.GatewayService"),
      file(chat),
      file(chat),
    );
    expect(first.map(({ name }) => name)).toContain(chat);
    expect(first.map(({ name }) => name)).toContain("google/protobuf/descriptor.proto");
    for (const again of [second, third]) expect(again.map(({ name }) => name)).toEqual([chat]);
  });

  test("knows extensions by what they extend", async () => {
    const options = "google.protobuf.MethodOptions";
    const [[found] = []] = await filesFor(extension(options, 72_295_728));
    expect(found?.name).toBe("google/api/annotations.proto");
    const [methods, none] = await answers(
      { case: "allExtensionNumbersOfType", value: options },
      { case: "allExtensionNumbersOfType", value: "llmgateway.v1.ChatRequest" },
    );
    const numbers = (baseTypeName: string, extensionNumber: number[]) => ({
      case: "allExtensionNumbersResponse",
      value: { baseTypeName, extensionNumber },
    });
    expect(methods).toMatchObject(numbers(options, [72_295_728]));
    expect(none).toMatchObject(numbers("llmgateway.v1.ChatRequest", []));
  });

  test.each<[string, Question, number, string]>([
    ["a file", file("llmgateway/v1/other.proto"), Code.NotFound, 'no file "llmgateway/v1/other.proto"'],
    ["a symbol", symbol("llmgateway.v1.Other"), Code.NotFound, 'no symbol "llmgateway.v1.Other"'],
    ["a symbol of the configuration", symbol("llmgateway.config.v1.Config"), Code.NotFound, "no symbol"],
    ["an extension", extension("llmgateway.v1.ChatRequest", 7), Code.NotFound, "has no extension 7"],
    ["a message", { case: "allExtensionNumbersOfType", value: "a.B" }, Code.NotFound, 'no message "a.B"'],
    ["a question", { case: undefined }, Code.InvalidArgument, "asks for nothing"],
  ])("says that %s is not known, and goes on", async (_, question, errorCode, words) => {
    const [failed, listed] = await answers(question, { case: "listServices", value: "" });
    expect(failed).toMatchObject({
      case: "errorResponse",
      value: { errorCode, errorMessage: expect.stringContaining(words) },
    });
    expect(listed?.case).toBe("listServicesResponse");
  });

  test("answers in order, each with its question and the host that was asked", async () => {
    const questions = [symbol("llmgateway.v1.Usage"), file("no.proto"), extension("a.B", 1), symbol("no")];
    const replies = await ask(...questions);
    expect(replies.map(({ originalRequest }) => originalRequest?.messageRequest)).toMatchObject(questions);
    for (const { validHost, originalRequest } of replies) {
      expect([validHost, originalRequest?.host]).toEqual(["example", "example"]);
    }
  });

  test("answers each question before the next is asked, and an idle stream ends with the gateway", async () => {
    await using running = await startBoth({ server: { drain_timeout: "30s" } });
    const client = createClient(service, createGrpcTransport({ baseUrl: running.url }));
    async function* first() {
      yield* requests([symbol("llmgateway.v1.Usage")]);
      await new Promise(() => {});
    }
    const responses = client.serverReflectionInfo(first())[Symbol.asyncIterator]();
    expect((await responses.next()).value?.messageResponse.case).toBe("fileDescriptorResponse");
    const closedAtMs = performance.now();
    const closed = running.gateway.close();
    await expect(responses.next()).rejects.toMatchObject({ code: Code.Unavailable });
    await closed;
    expect(performance.now() - closedAtMs).toBeLessThan(5_000);
  });

  test("is not there when it is switched off, while the rest is", async () => {
    await using running = await startBoth({ server: { reflection: false } });
    const client = createClient(service, createGrpcTransport({ baseUrl: running.url }));
    const responses = client.serverReflectionInfo(requests([{ case: "listServices", value: "" }]));
    await expect(responses[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: Code.Unimplemented,
    });
    const reply = await fetch(`${running.url}/grpc.health.v1.Health/Check`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(await reply.json()).toEqual({ status: "SERVING" });
  });
});

const checkout = join(import.meta.dirname, "..", "..");
const env = { PATH: `${join(checkout, ".cache", "bin")}:${process.env.PATH}` };
const run = promisify(execFile);

/** Where it must be, its absence fails the tests. */
const possible =
  process.env.CI === "true" ||
  (await run("grpcurl", ["-version"], { env }).then(
    () => true,
    () => false,
  ));
if (!possible) console.warn("reflection is not tried with grpcurl: it is not installed");

describe.runIf(possible)("grpcurl without a proto file", () => {
  let open: GatewayUnderTest;
  beforeAll(async () => {
    open = await startBoth();
  });
  afterAll(() => open[Symbol.asyncDispose]());

  async function grpcurl(args: readonly string[], verb: readonly string[]): Promise<string> {
    const { host } = new URL(open.url);
    const { stdout } = await run("grpcurl", ["-plaintext", ...args, host, ...verb], { env });
    return stdout;
  }

  const CHAT = [
    "-d",
    JSON.stringify({ model: "openai/gpt-4o", messages: [{ role: "user", content: "Hello" }] }),
  ];

  test("lists the services and their methods", async () => {
    expect((await grpcurl([], ["list"])).trim().split("\n")).toEqual(SERVICES);
    const methods = await grpcurl([], ["list", "llmgateway.v1.GatewayService"]);
    expect(methods).toContain("llmgateway.v1.GatewayService.Chat\n");
  });

  // Of each kind one, by a process each; above every symbol is asked for.
  test.each([
    ["llmgateway.v1.GatewayService", "a service"],
    ["llmgateway.v1.GatewayService.Chat", "a method"],
    ["llmgateway.v1.ChatRequest", "a message"],
    ["llmgateway.v1.ChatRequest.messages", "a field"],
    ["llmgateway.v1.Part.part", "a one-of"],
    ["grpc.health.v1.HealthCheckResponse.ServingStatus", "an enum"],
    ["grpc.health.v1.HealthCheckResponse.SERVING", "an enum value"],
  ])("describes %s", async (name, kind) => {
    // It names the value of an enum within the enum.
    const described = await grpcurl([], ["describe", name]);
    expect(described).toContain(`.${name.split(".").at(-1)} is ${kind}:`);
  });

  test("calls, and reads a stream", async () => {
    expect(JSON.parse(await grpcurl(CHAT, ["llmgateway.v1.GatewayService/Chat"]))).toMatchObject({
      finishReason: "stop",
      provider: "openai",
    });
    const stream = await grpcurl(CHAT, ["llmgateway.v1.GatewayService/Stream"]);
    expect(stream).toMatch(/"token": "This"[\s\S]*"done": true/);
    expect(JSON.parse(await grpcurl([], ["grpc.health.v1.Health/Check"]))).toEqual({ status: "SERVING" });
  });

  test("reads the details of a failure", async () => {
    const failed: { stderr: string } = await grpcurl(
      ["-d", "{}"],
      ["llmgateway.v1.GatewayService/Chat"],
    ).then(
      () => expect.fail(),
      (error) => error,
    );
    expect(failed.stderr).toContain("must contain at least 1 item(s)");
    expect(failed.stderr).toContain('"reason": "invalid_request"');
  });
});
