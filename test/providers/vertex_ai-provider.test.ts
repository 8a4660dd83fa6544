/** Vertex AI as a provider: when it is off, where it calls, whom it asks whether it would serve, and who serves Claude. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, afterEach, expect, test, vi } from "vitest";
import type {
  Provider as ProviderConfig,
  ProviderSchema,
} from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { fold, foldEmbeddings } from "../../src/core/reply.ts";
import { startEmulator } from "../../src/emulator/server.ts";
import type { Provider } from "../../src/providers/provider.ts";
import { createProvider } from "../../src/providers/registry.ts";
import { isClaude, locationUrl, vertexResource } from "../../src/providers/vertex_ai/resource.ts";
import { attemptCallOf } from "../support/call.ts";
import { answers, scriptedProvider, settingsOf } from "../support/provider.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-vertex-"));
afterAll(() => rmSync(folder, { recursive: true }));
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of open.splice(0).reverse()) await close();
});

const PLACE = { project: "p", region: "europe-west4", defaultModel: "gemini-2.0-flash" };

function vertex(
  config: Exclude<MessageInitShape<typeof ProviderSchema>, ProviderConfig>,
  keys = ["right-token"],
): Provider {
  const provider = createProvider(settingsOf("vertex_ai", { kind: "vertex_ai", ...config }, keys));
  open.push(provider.close);
  return provider;
}

test("is off without a project, and without the token whose variable is named", () => {
  expect(vertex({ region: "global" }).off).toBe(
    "it has no project: set VERTEX_AI_PROJECT_ID, or its project in the configuration",
  );
  expect(vertex({ ...PLACE, apiKeyEnv: "TOKEN" }, []).off).toBe("its key is missing: set TOKEN");
  expect(vertex(PLACE, []).off).toBe("");
});

test.each([
  ["us-central1", "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1"],
  ["global", "https://aiplatform.googleapis.com/v1/projects/p/locations/global"],
  ["eu", "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu"],
])("the location %s is at %s", (region, url) => {
  expect(locationUrl({ project: "p", region, baseUrl: "" })).toBe(url);
});

test("a base URL stands for Google's host, and names cannot leave their place in the path", () => {
  expect(locationUrl({ project: "a:p", region: "global", baseUrl: "http://127.0.0.1:1/" })).toBe(
    "http://127.0.0.1:1/v1/projects/a%3Ap/locations/global",
  );
  expect(vertexResource("../x?y")).toBe("/publishers/google/models/..%2Fx%3Fy");
  expect(vertexResource("endpoints/123")).toBe("/endpoints/123");
  expect(["claude-sonnet-4-5@20250929", "gemini-2.0-flash"].map(isClaude)).toEqual([true, false]);
});

test("Gemini and Claude are spoken to each in its own format, with the same token", async () => {
  const emulator = await startEmulator({ apiKey: "right-token" });
  open.push(emulator.close);
  const provider = vertex({ ...PLACE, baseUrl: emulator.url, apiKeyEnv: "TOKEN" });
  for (const model of ["gemini-2.0-flash", "claude-haiku-4-5@20251001"]) {
    for (const streaming of [false, true]) {
      const call = attemptCallOf({ streaming, target: { provider: "vertex_ai", model } });
      const { response } = await fold(await provider.serve(call));
      expect(response).toMatch(/^This is the answer/);
      expect(call.attempt.usage?.provenance).toBe("measured");
    }
  }
  const base = "/v1/projects/p/locations/europe-west4/publishers";
  expect(emulator.meter.requests.map(({ path }) => path)).toEqual([
    `${base}/google/models/gemini-2.0-flash:generateContent`,
    `${base}/google/models/gemini-2.0-flash:streamGenerateContent?alt=sse`,
    `${base}/anthropic/models/claude-haiku-4-5%4020251001:rawPredict`,
    `${base}/anthropic/models/claude-haiku-4-5%4020251001:streamRawPredict`,
  ]);
});

test("a service tier is asked for in a header, as the body may not name it", async () => {
  const emulator = await startEmulator();
  open.push(emulator.close);
  const provider = vertex({ ...PLACE, baseUrl: emulator.url, apiKeyEnv: "TOKEN" });
  const asking = (serviceTier: string) =>
    attemptCallOf({
      target: { provider: "vertex_ai", model: "gemini-2.0-flash" },
      request: create(ChatRequestSchema, {
        messages: [{ role: "user", content: "Hi" }],
        parameters: { serviceTier },
      }),
    });
  for (const tier of ["standard", "flex", "priority"]) {
    const call = asking(tier);
    await fold(await provider.serve(call));
    expect(call.attempt.usage?.serviceTier).toBe(tier);
  }
  await expect(provider.serve(asking("cheapest"))).rejects.toMatchObject({
    kind: "invalid_request",
    violations: [{ field: "parameters.service_tier" }],
  });
});

test("its older models for embeddings are asked to predict, and its newer ones by content", async () => {
  const emulator = await startEmulator();
  open.push(emulator.close);
  const provider = vertex({ ...PLACE, baseUrl: emulator.url, apiKeyEnv: "TOKEN" });
  for (const model of ["gemini-embedding-001", "gemini-embedding-2"]) {
    const target = { provider: "vertex_ai", model };
    const call = attemptCallOf({ target, embed: { input: ["One", "two"], dimensions: 8 } });
    const { embeddings } = await foldEmbeddings(await provider.serve(call));
    expect(embeddings.map(({ values }) => values.length)).toEqual([8, 8]);
    expect(call.attempt.usage).toMatchObject({ inputTokens: 2, provenance: "measured" });
  }
});

test("a token that is wrong is the gateway's fault", async () => {
  const emulator = await startEmulator({ apiKey: "right-token" });
  open.push(emulator.close);
  const provider = vertex({ ...PLACE, baseUrl: emulator.url, apiKeyEnv: "TOKEN" }, ["wrong-token"]);
  await expect(provider.serve(attemptCallOf())).rejects.toMatchObject({ kind: "provider_auth" });
  expect(await provider.availability()).toMatchObject({
    status: "unavailable",
    reason: "the provider refused the gateway's credentials",
  });
});

test("availability counts tokens, which is free", async () => {
  const emulator = await startEmulator();
  open.push(emulator.close);
  const provider = vertex({
    ...PLACE,
    baseUrl: emulator.url,
    apiKeyEnv: "TOKEN",
    headers: { "x-team": "a" },
  });
  expect(await provider.availability()).toMatchObject({ status: "available", reason: "" });
  expect(emulator.meter.requests).toMatchObject([
    { path: expect.stringMatching(/gemini-2.0-flash:countTokens$/), inputTokens: 0, outputTokens: 0 },
  ]);
});

test("a default model that the location lacks is no reason not to call it", async () => {
  await using server = await scriptedProvider(answers(404, { error: { code: 404, status: "NOT_FOUND" } }));
  const provider = vertex({ ...PLACE, baseUrl: server.origin, apiKeyEnv: "TOKEN" });
  expect((await provider.availability()).status).toBe("available");
});

test("credentials that are not there are told in its availability, and to whoever calls it", async () => {
  vi.stubEnv("METADATA_SERVER_DETECTION", "none");
  const provider = vertex({ ...PLACE, credentialsPath: join(folder, "missing.json") }, []);
  const told = expect.stringContaining("VERTEX_AI_CREDENTIALS_PATH");
  expect(await provider.availability()).toMatchObject({ status: "unavailable", reason: told });
  await expect(provider.serve(attemptCallOf())).rejects.toMatchObject({
    kind: "provider_auth",
    message: told,
  });
});
