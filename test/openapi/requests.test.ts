/** What the OpenAPI document says of a request, and what the gateway says of it: they must be of one mind. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBlocks } from "../docs/page.ts";
import { REQUESTS } from "../providers/openai-requests.ts";
import { type ChatInit, restJson } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";
import { http1 } from "../support/http.ts";
import { requestObjections } from "../support/openapi.ts";
import { SECRET } from "../support/receiver.ts";

const CHAT = "/v1/gateway/chat";
const EMBED = "/v1/gateway/embeddings";

let both: GatewayUnderTest;
beforeAll(async () => {
  const jobs = { webhooks: { allowed_hosts: ["internal.service"] } };
  both = await startBoth({ jobs }, { env: { LLMGATEWAY_WEBHOOK_SECRET: SECRET } });
});
afterAll(() => both[Symbol.asyncDispose]());

/** Whether the gateway refuses the request for its form; what the model does with it is not the question. */
async function isRefused(path: string, body: unknown): Promise<boolean> {
  const reply = await http1(both.url + path, JSON.stringify(body));
  return (await reply.text()).includes('"reason":"invalid_request"');
}

describe("the requests in the guides", () => {
  const checkout = fileURLToPath(new URL("../..", import.meta.url));
  const pages = ["README.md", ...readdirSync(`${checkout}docs`).map((name) => `docs/${name}`)];
  const samples = pages
    .filter((page) => page.endsWith(".md"))
    .flatMap((page) => readBlocks(checkout, page))
    .filter(({ language }) => language === "sh")
    .flatMap(({ place, text }) => {
      const [, path = "", body = ""] =
        /curl [^']*localhost:8080(\/\S+) [^{]*-d '(\{.*?\})'/s.exec(text) ?? [];
      return body ? [{ place, path, body: JSON.parse(body) }] : [];
    });

  test("are found", () => {
    expect(new Set(samples.map(({ place }) => place.split(":")[0])).size).toBeGreaterThan(2);
    expect(samples.length).toBeGreaterThan(8);
  });

  test.each(samples)("$place", async ({ path, body }) => {
    // It is of no model.
    const template = /^(.*\/templates\/)[^/]+(\/render)$/.exec(path);
    if (template) {
      expect(requestObjections(`${template[1]}{name}${template[2]}`, body)).toEqual([]);
      expect(await isRefused(path, body)).toBe(false);
      return;
    }
    // Of a model that nobody knows, so that nothing is refused for what the model cannot do.
    const anyone = body.models ? {} : { model: "mock/any", model_version: undefined };
    const toAnyone = { ...body, ...anyone };
    if (body.parameters) toAnyone.parameters = { ...body.parameters, service_tier: undefined };
    expect(requestObjections(path, body).length > 0).toBe(await isRefused(path, toAnyone));
  });
});

test.each(REQUESTS)("a canonical request is good: $name", ({ request }) => {
  expect(requestObjections(CHAT, restJson(request as ChatInit))).toEqual([]);
});

describe("good and bad forms", () => {
  const hello = { role: "user", content: "Hello" };
  const said = (...parts: object[]) => ({ messages: [{ role: "user", parts }] });
  const asked = (more: object) => ({ messages: [hello], ...more });
  const tool = { name: "f" };

  test.each<[string, object]>([
    ["a text", asked({})],
    ["several parts", said({ text: "a" }, { image: { url: "data:," } }, { file: { file_id: "f" } })],
    ["bytes with their type", said({ image: { data: "aGk=", media_type: "image/png" } })],
    ["a seed as a number", asked({ parameters: { seed: 42 } })],
    ["a seed as text", asked({ parameters: { seed: "42" } })],
    ["labels", asked({ metadata: { team: "search" } })],
    ["any body for the provider", asked({ extra_body: { a: [1, null, { b: "c" }] } })],
    ["a schema", asked({ response_format: { type: "json_schema", schema: {} } })],
    ["a schema as text", asked({ response_format: { type: "json_schema", schema_json: "{}" } })],
    ["a tool with a schema as text", asked({ tools: [{ ...tool, parameters_json: "{}" }] })],
    ["a free-text tool", asked({ tools: [{ ...tool, free_text: { syntax: "", definition: "" } }] })],
  ])("both take %s", async (_, body) => {
    expect(requestObjections(CHAT, body)).toEqual([]);
    expect(await isRefused(CHAT, body)).toBe(false);
  });

  test.each<[string, object]>([
    ["no messages", {}],
    ["an empty conversation", { messages: [] }],
    ["a message of nobody", { messages: [{ content: "Hello" }] }],
    ["an unknown role", { messages: [{ role: "boss", content: "Hello" }] }],
    ["an unknown field", asked({ modle: "openai" })],
    ["an unknown field further down", asked({ parameters: { max_token: 1 } })],
    ["a name that is too long", asked({ model: "m".repeat(257) })],
    ["a part without anything", said({})],
    ["a part of two kinds", said({ text: "a", refusal: "b" })],
    ["a picture that is nowhere", said({ image: { media_type: "image/png" } })],
    ["a picture in two places", said({ image: { url: "data:,", file_id: "f" } })],
    ["an empty URL", said({ image: { url: "" } })],
    ["bytes of no type", said({ image: { data: "aGk=" } })],
    ["bytes of an empty type", said({ image: { data: "aGk=", media_type: "" } })],
    ["a result of no call", { messages: [{ role: "tool", parts: [{ tool_result: { content: "4" } }] }] }],
    ["a temperature that is too high", asked({ parameters: { temperature: 2.1 } })],
    ["no tokens at all", asked({ parameters: { max_tokens: 0 } })],
    ["more tokens than an int32 has", asked({ parameters: { max_tokens: 2 ** 31 } })],
    ["an empty stop", asked({ parameters: { stop: [""] } })],
    ["too many stops", asked({ parameters: { stop: Array(17).fill("a") } })],
    ["too many answers", asked({ parameters: { choices: 129 } })],
    ["a ceiling of nothing", asked({ max_cost_usd: 0 })],
    ["no time", asked({ timeout_ms: 0 })],
    ["a tool without a name", asked({ tools: [{}] })],
    ["a tool with a wrong name", asked({ tools: [{ name: "a b" }] })],
    ["a tool with two schemas", asked({ tools: [{ ...tool, parameters: {}, parameters_json: "{}" }] })],
    ["an unknown grammar", asked({ tools: [{ ...tool, free_text: { syntax: "ebnf" } }] })],
    ["an unknown form of answer", asked({ response_format: { type: "xml" } })],
    ["no form of answer", asked({ response_format: {} })],
    ["a schema that is missing", asked({ response_format: { type: "json_schema" } })],
    ["an empty schema", asked({ response_format: { type: "json_schema", schema_json: "" } })],
    ["two schemas", asked({ response_format: { type: "json_schema", schema: {}, schema_json: "{}" } })],
    ["a label without a name", asked({ metadata: { "": "x" } })],
    ["a label with a long name", asked({ metadata: { ["n".repeat(65)]: "x" } })],
    ["a label that is too long", asked({ metadata: { a: "x".repeat(513) } })],
    ["a label that is no text", asked({ metadata: { a: 1 } })],
    ["a body for the provider that is no object", asked({ extra_body: [] })],
  ])("both refuse %s", async (_, body) => {
    expect(requestObjections(CHAT, body)).not.toEqual([]);
    expect(await isRefused(CHAT, body)).toBe(true);
  });
});

describe("good and bad forms of embeddings", () => {
  const text = { input: ["Hello"], model: "mock" };

  test.each<[string, object]>([
    ["a text", text],
    ["as many texts as there may be", { ...text, input: Array(2048).fill("a") }],
    ["a length", { ...text, dimensions: 8 }],
    ["a type of input", { ...text, input_type: "document" }],
    ["labels", { ...text, metadata: { team: "search" } }],
  ])("both take %s", async (_, body) => {
    expect(requestObjections(EMBED, body)).toEqual([]);
    expect(await isRefused(EMBED, body)).toBe(false);
  });

  test.each<[string, object]>([
    ["no texts", { model: "mock" }],
    ["a text that is no list", { ...text, input: "Hello" }],
    ["an empty list", { ...text, input: [] }],
    ["an empty text", { ...text, input: [""] }],
    ["too many texts", { ...text, input: Array(2049).fill("a") }],
    ["no length", { ...text, dimensions: 0 }],
    ["too great a length", { ...text, dimensions: 65_537 }],
    ["an unknown type of input", { ...text, input_type: "passage" }],
    ["a ceiling of nothing", { ...text, max_cost_usd: 0 }],
    ["no time", { ...text, timeout_ms: 0 }],
    ["an unknown field", { ...text, encoding_format: "float" }],
  ])("both refuse %s", async (_, body) => {
    expect(requestObjections(EMBED, body)).not.toEqual([]);
    expect(await isRefused(EMBED, body)).toBe(true);
  });
});
