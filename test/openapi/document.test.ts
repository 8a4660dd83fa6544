/** The OpenAPI document: where it is served, and that it has what is served, no more and no less. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { getOption, hasOption } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { http } from "../../gen/ts/google/api/annotations_pb.ts";
import { FAILURES, type FailureKind } from "../../src/core/failure.ts";
import { SERVICES } from "../../src/fronts.ts";
import { VERSION } from "../../src/version.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { DOCUMENT, objections, TEXT } from "../support/openapi.ts";
import { readEvents } from "../support/sse.ts";

const { paths, components } = DOCUMENT;
const operations = Object.entries(paths).flatMap(([path, verbs]) =>
  Object.entries(verbs).map(([verb, operation]) => ({
    name: `${verb.toUpperCase()} ${path}`,
    path,
    operation,
  })),
);
const methods = SERVICES.flatMap((service) => service.methods);
const SERVICE_TAGS = SERVICES.map(({ name }) => name);

function served(...tags: string[]): string[] {
  return operations.filter(({ operation }) => tags.includes(operation.tags[0] ?? "")).map(({ name }) => name);
}

describe("what is in it", () => {
  test("is every REST route that the contract has, and no other", () => {
    const annotated = methods.flatMap((method) => {
      if (!hasOption(method, http)) return [];
      const { case: verb = "", value } = getOption(method, http).pattern;
      return [`${verb.toUpperCase()} ${value}`];
    });
    expect(annotated.length).toBeGreaterThan(3);
    expect(served(...SERVICE_TAGS).sort()).toEqual(annotated.sort());
  });

  test("is every unary RPC over Connect, with GET for those that change nothing", () => {
    const expected = methods.flatMap(({ methodKind, parent, name, idempotency }) => {
      const path = `/${parent.typeName}/${name}`;
      if (methodKind !== "unary") return [];
      const reads = idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
      return [`POST ${path}`, ...(reads ? [`GET ${path}`] : [])];
    });
    expect(served("Connect").sort()).toEqual(expected.sort());
  });

  test("is every page for machines, and no other", () => {
    const source = readFileSync(new URL("../../src/rpc/operations.ts", import.meta.url), "utf8");
    const pages = [...source.matchAll(/^ {4}"(\/[^"]+)":/gm)].map(([, path]) => `GET ${path}`);
    expect(pages.length).toBeGreaterThan(3);
    expect(served("Operations").sort()).toEqual(pages.sort());
  });

  test("is nothing else", () => {
    expect(served(...SERVICE_TAGS, "Connect", "Operations")).toHaveLength(operations.length);
  });

  test("is every failure, at its status", () => {
    const documented = Object.entries(components.responses).flatMap(([name, { description }]) =>
      [...description.matchAll(/^- `(\w+)`(?! \(over Connect\))/gm)].map(([, kind]) => [kind, name]),
    );
    const coded = Object.entries(FAILURES).map(([kind, { http }]) => [kind, `Error${http}`]);
    expect(documented.sort()).toEqual(coded.sort());
    const used = new Set(operations.flatMap(({ operation }) => Object.keys(operation.responses)));
    expect([...used]).toEqual(expect.arrayContaining(coded.map(([, name]) => name?.replace("Error", ""))));
  });

  test("is whether a failure may be retried", () => {
    const text = Object.values(components.responses)
      .map(({ description }) => description)
      .join("\n");
    const retryable = [...text.matchAll(/^- `(\w+)` \(retryable\)/gm)].map(([, kind]) => kind as FailureKind);
    const kinds = Object.keys(FAILURES) as FailureKind[];
    expect(retryable.sort()).toEqual(kinds.filter((kind) => FAILURES[kind].retryable).sort());
  });

  test("is that every RPC can be refused for its request and its key, and no page for machines", () => {
    for (const { name, operation } of operations) {
      const isRpc = operation.tags[0] !== "Operations";
      const statuses = Object.keys(operation.responses);
      expect(statuses.filter((status) => ["400", "401", "403", "500"].includes(status)).length, name).toBe(
        isRpc ? 4 : 0,
      );
      expect(operation.security, name).toEqual(isRpc ? undefined : []);
    }
  });

  test("is every field of a request without a body, by its own name", () => {
    for (const { name, operation } of operations) {
      const given = (operation.parameters ?? []).flatMap((parameter) => parameter.name ?? []);
      const method = methods.find(({ localName }) => localName === operation.operationId);
      if (!method || operation.requestBody) continue;
      expect(given.sort(), name).toEqual(method.input.fields.map((field) => field.name).sort());
    }
  });

  test("is a stream beside an answer for chat alone", () => {
    const both = operations.filter(
      ({ operation }) => Object.keys(operation.responses[200]?.content ?? {}).length > 1,
    );
    expect(both.map(({ name }) => name)).toEqual(["POST /v1/gateway/chat"]);
  });

  test("is the version of the package", () => {
    expect(DOCUMENT.info.version).toBe(VERSION);
  });

  test("is examples of streams whose events are what they should be", async () => {
    const streams = Object.entries(components.examples).filter(([, { value }]) => typeof value === "string");
    expect(streams.length).toBe(4);
    for (const [name, { value }] of streams) {
      for await (const { event, data = "" } of readEvents(ReadableStream.from([value as string]))) {
        const [schema = ""] = name.split(".");
        expect(objections(["components", "schemas", schema], JSON.parse(data)), name).toEqual([]);
        expect(event === "error").toBe("error" in JSON.parse(data));
      }
    }
  });
});

test("its examples are at the prices of the catalog that comes with the gateway", () => {
  const catalog = readFileSync(new URL("../../docs/price-catalog.json", import.meta.url), "utf8");
  const told = [...JSON.stringify(components.examples).matchAll(/price_version\W+([\w.-]+)/g)];
  expect(told.length).toBeGreaterThan(5);
  expect(new Set(told.map(([, version]) => version))).toEqual(new Set([JSON.parse(catalog).version]));
});

describe("/openapi.json", () => {
  let both: GatewayUnderTest;
  beforeAll(async () => {
    const keys = [{ name: "team", sha256: "0".repeat(64) }];
    both = await startBoth({ auth: { keys }, server: { host: "127.0.0.1" } });
  });
  afterAll(() => both[Symbol.asyncDispose]());

  const get = (init: RequestInit = {}) => fetch(`${both.url}/openapi.json`, init);

  test("is the committed document, for everyone", async () => {
    const reply = await get();
    expect(reply.status).toBe(200);
    expect(reply.headers.get("content-type")).toBe("application/json");
    expect(reply.headers.get("cache-control")).toBe("no-cache");
    expect(reply.headers.get("content-encoding")).toMatch(/^(br|gzip)$/);
    expect(await reply.text()).toBe(TEXT);
  });

  test("is not sent again to those who have it", async () => {
    const etag = (await get()).headers.get("etag") ?? "";
    expect(etag).toMatch(/^W\/"[\w-]{43}"$/);
    for (const known of [etag, `"other", ${etag}`, "*"]) {
      const again = await get({ headers: { "if-none-match": known } });
      expect(again.status, known).toBe(304);
      expect(again.headers.get("etag")).toBe(etag);
      expect(await again.text()).toBe("");
    }
    const other = await get({ headers: { "if-none-match": '"other"' } });
    expect(other.status).toBe(200);
    await other.text();
  });

  test("is the same over HTTP/2", async () => {
    const etag = (await get()).headers.get("etag");
    const session = connect(both.url);
    for (const [known, status] of [
      ["", 200],
      [etag, 304],
    ]) {
      const stream = session.request({ ":path": "/openapi.json", "if-none-match": String(known) });
      const [headers] = await once(stream, "response");
      expect(headers).toMatchObject({ ":status": status, etag });
      await once(stream.resume(), "close");
    }
    session.close();
  });

  test("answers HEAD with the head alone", async () => {
    const reply = await get({ method: "HEAD", headers: { "accept-encoding": "identity" } });
    expect(reply.status).toBe(200);
    expect(Number(reply.headers.get("content-length"))).toBe(Buffer.byteLength(TEXT));
    expect(await reply.text()).toBe("");
  });
});
