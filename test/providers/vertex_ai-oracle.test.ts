/** Both of Google's SDKs send to Vertex AI what the gateway sends, as far as each knows the format. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { GoogleGenAI } from "@google/genai";
import { type GenerateContentRequest, VertexAI } from "@google-cloud/vertexai";
import { OAuth2Client } from "google-auth-library";
import { Agent, fetch as undiciFetch } from "undici";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { vertexDialect } from "../../src/providers/vertex_ai/dialect.ts";
import { locationUrl, vertexResource } from "../../src/providers/vertex_ai/resource.ts";
import { canMakeCertificates, makeCertificate } from "../support/certificate.ts";
import { answers, type ScriptedProvider, scriptedProvider } from "../support/provider.ts";
import { CANONICAL, type CanonicalName } from "./canonical.ts";
import { GEMINI_GOLDEN } from "./gemini-golden.ts";

const PLACE = { project: "test-project", region: "europe-west4" };
const MODEL = "gemini-2.5-flash";

function encode(request: MessageInitShape<typeof ChatRequestSchema>, stream = false) {
  return vertexDialect.encode(create(ChatRequestSchema, request), {
    model: MODEL,
    stream,
    maxTokens: undefined,
  });
}

/** Path and query of what the gateway calls. */
function pathOf(path: string): string {
  return new URL(locationUrl({ ...PLACE, baseUrl: "https://host" }) + path).href.replace("https://host", "");
}

/** With a token that is good for a while. */
function signedIn(): OAuth2Client {
  const client = new OAuth2Client();
  client.setCredentials({ access_token: "test-token", expiry_date: Date.now() + 3_600_000 });
  return client;
}

describe("a request equals that of @google/genai", () => {
  let server: ScriptedProvider;
  beforeAll(async () => {
    server = await scriptedProvider(answers(200, {}));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const names = (Object.keys(CANONICAL) as CanonicalName[]).filter((name) => "params" in GEMINI_GOLDEN[name]);
  test.each(names)("%s", async (name) => {
    const golden = GEMINI_GOLDEN[name];
    if (!("params" in golden)) return;
    const sdk = new GoogleGenAI({
      vertexai: true,
      project: PLACE.project,
      location: PLACE.region,
      apiVersion: "v1",
      // Of the version of the library that the SDK brings along.
      googleAuthOptions: { authClient: signedIn() as never },
      httpOptions: { baseUrl: server.origin },
    });
    await sdk.models.generateContent(golden.params);
    const theirs = server.requests.at(-1);
    const { path, body } = encode(CANONICAL[name]);
    const sent: { generationConfig?: object; serviceTier?: string } = JSON.parse(theirs?.body ?? "");
    if (Object.keys(sent.generationConfig ?? {}).length === 0) delete sent.generationConfig;
    // There Vertex AI refuses it: https://github.com/googleapis/python-genai/issues/2847
    delete sent.serviceTier;
    expect(JSON.parse(body)).toEqual(sent);
    expect(theirs?.url).toBe(pathOf(path));
    expect(theirs?.headers.authorization).toBe("Bearer test-token");
  });
});

/** What that SDK's types can say; it knows neither thoughts nor JSON schema, and calls instructions a turn of the system. */
const KNOWN: Readonly<Partial<Record<CanonicalName, GenerateContentRequest>>> = {
  "a greeting": { contents: [{ role: "user", parts: [{ text: "Hello" }] }] },
  "several turns": {
    contents: [
      { role: "user", parts: [{ text: "Hello" }] },
      { role: "model", parts: [{ text: "Hello, how can I help?" }] },
      { role: "user", parts: [{ text: "What is 2 + 2?" }] },
    ],
  },
  "how it writes": {
    contents: [{ role: "user", parts: [{ text: "Hello" }] }],
    generationConfig: { temperature: 0.5, topP: 0.9, stopSequences: ["END", "STOP"], maxOutputTokens: 50 },
  },
  "any JSON": {
    contents: [{ role: "user", parts: [{ text: "Hello" }] }],
    generationConfig: { responseMimeType: "application/json" },
  },
};

describe.runIf(canMakeCertificates)("a request equals that of @google-cloud/vertexai", () => {
  const received: { url: string; body: string; authorization: string | undefined }[] = [];
  const server = createServer();
  let folder: string;
  let agent: Agent;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "llmgateway-vertex-"));
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    makeCertificate(cert, key);
    server.setSecureContext({ cert: readFileSync(cert), key: readFileSync(key) });
    server.on("request", async (request, reply) => {
      let body = "";
      for await (const piece of request.setEncoding("utf8")) body += piece;
      received.push({ url: request.url ?? "", body, authorization: request.headers.authorization });
      const stream = request.url?.endsWith("alt=sse");
      reply.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" });
      reply.end(stream ? "data: {}\r\n\r\n" : "{}");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    agent = new Agent({ connect: { ca: readFileSync(cert) } });
    // The SDK speaks TLS alone, by the global fetch, which trusts no certificate of a test.
    vi.stubGlobal("fetch", (url: string, init: object) => undiciFetch(url, { ...init, dispatcher: agent }));
    vi.spyOn(console, "warn").mockImplementation(() => {});
  });
  afterAll(async () => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    await agent.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  });

  const model = () => {
    const { port } = server.address() as AddressInfo;
    return new VertexAI({
      project: PLACE.project,
      location: PLACE.region,
      apiEndpoint: `127.0.0.1:${port}`,
      googleAuthOptions: { authClient: signedIn() as never },
    }).getGenerativeModel({ model: MODEL });
  };

  test.each(Object.keys(KNOWN) as CanonicalName[])("%s", async (name) => {
    const request = KNOWN[name];
    if (!request) return;
    await model().generateContent(request);
    const { path, body } = encode(CANONICAL[name]);
    const theirs = received.at(-1);
    expect(JSON.parse(body)).toEqual(JSON.parse(theirs?.body ?? ""));
    expect(theirs?.url).toBe(pathOf(path));
    expect(theirs?.authorization).toBe("Bearer test-token");
  });

  test("a stream, by its path", async () => {
    const contents = [{ role: "user", parts: [{ text: "Hello" }] }];
    await (await model().generateContentStream({ contents })).response;
    expect(received.at(-1)?.url).toBe(pathOf(encode(CANONICAL["a greeting"], true).path));
  });

  test("its countTokens is what availability asks", async () => {
    await model().countTokens({ contents: [{ role: "user", parts: [{ text: "Hello" }] }] });
    expect(received.at(-1)).toMatchObject({
      url: pathOf(`${vertexResource(MODEL)}:countTokens`),
      body: '{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}',
    });
  });
});
