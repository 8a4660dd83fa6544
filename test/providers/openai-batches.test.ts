/** OpenAI's batches by the adapter, over the emulator and over replies that it does not give. */
import { expect, test } from "vitest";
import { openaiBatches } from "../../src/providers/openai/batches.ts";
import { emulated, openAiClient } from "../emulator/emulated.ts";
import { answers, NO_CREDENTIALS, scriptedProvider } from "../support/provider.ts";

const at = (baseUrl: string) =>
  openaiBatches({ baseUrl, query: "", headers: {}, credentials: NO_CREDENTIALS });
const WIRE = {
  path: "/chat/completions",
  // As a schema in the caller's own text may be written.
  body: '{"model":"gpt-4o",\r\n "messages":[{"role":"user","content":"two\\nlines"}]}',
};

async function ended(adapter: ReturnType<typeof at>, id: string) {
  for (let tries = 0; tries < 500; tries++) {
    const state = await adapter.poll(id);
    if (state.state !== "running") return state;
  }
  throw new Error("the batch does not end");
}

test("sends what OpenAI's own client reads back, and reads what came of it", async () => {
  const emulator = await emulated();
  const adapter = at(`${emulator.url}/v1`);
  const id = await adapter.create([adapter.line("a", WIRE), adapter.line("b", WIRE)]);
  const sdk = openAiClient(emulator);
  const made = await sdk.batches.retrieve(id);
  const lines = (await (await sdk.files.content(made.input_file_id)).text()).trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    ["a", "b"].map((custom_id) => ({
      custom_id,
      method: "POST",
      url: "/v1/chat/completions",
      body: JSON.parse(WIRE.body),
    })),
  );
  expect(await ended(adapter, id)).toEqual({ state: "complete", lines: 2, reason: "completed" });
  const results = await Array.fromAsync(adapter.results(id));
  expect(results).toMatchObject([
    { customId: "a", status: 200, body: expect.stringContaining("two") },
    { customId: "b", status: 200 },
  ]);
});

test("says what is wrong with a batch that failed, and that it does not know another", async () => {
  const emulator = await emulated();
  const adapter = at(`${emulator.url}/v1`);
  const id = await adapter.create(["{}"]);
  expect(await ended(adapter, id)).toMatchObject({
    state: "partial",
    reason: expect.stringMatching(/^failed: line 1, invalid_json_line, /),
  });
  expect(await Array.fromAsync(adapter.results(id))).toEqual([]);
  expect(await adapter.poll("batch_none")).toMatchObject({ state: "unknown" });
  await expect(adapter.cancel(id)).rejects.toMatchObject({ kind: "provider_error" });
});

test.each([{}, { statusCode: 404, message: "Resource not found" }])(
  "takes a 404 that is not OpenAI's, %o, for no word about the batch",
  async (body) => {
    await using provider = await scriptedProvider(answers(404, body));
    await expect(at(provider.origin).poll("b")).rejects.toMatchObject({ kind: "provider_error" });
  },
);

test("tells a batch that is one too many for OpenAI from one that is wrong", async () => {
  const message =
    "Enqueued token limit reached for gpt-4o in organization org-1. Limit: 90,000 enqueued tokens.";
  const fault = { code: "token_limit_exceeded", message, line: null, param: null };
  const errors = { object: "list", data: [fault] };
  await using provider = await scriptedProvider(answers(200, { id: "b", status: "failed", errors }));
  expect(await at(provider.origin).poll("b")).toEqual({
    state: "no_room",
    lines: undefined,
    reason: `failed: token_limit_exceeded, ${message}`,
  });
});

test.each([
  [401, { error: { code: "invalid_api_key", message: "no" } }, "provider_auth"],
  [429, { error: { code: "insufficient_quota", message: "no" } }, "quota_exhausted"],
  [400, { error: { message: "bad" } }, "provider_error"],
  [500, {}, "provider_error"],
])("an answer of %i to the upload is %o", async (status, body, kind) => {
  await using provider = await scriptedProvider(answers(status, body));
  await expect(at(provider.origin).create(["{}"])).rejects.toMatchObject({ kind, maybePaid: false });
});

test("a connection that breaks while the batch is made leaves it open whether it was", async () => {
  await using provider = await scriptedProvider((reply, { url }) => {
    if (url === "/files") return answers(200, { id: "file-1" })(reply, { url, headers: {}, body: "" });
    reply.destroy();
  });
  await expect(at(provider.origin).create(["{}"])).rejects.toMatchObject({ kind: "cut", maybePaid: true });
});

test("lines are split at line feeds alone, and one that cannot be read is a malformed reply", async () => {
  const text = "\u2028é";
  const line = JSON.stringify({ custom_id: "a", response: { status_code: 200, body: { text } } });
  let content = `${line}\n\n${line}`;
  await using provider = await scriptedProvider((reply, request) => {
    if (request.url.startsWith("/batches"))
      return answers(200, { id: "b", output_file_id: "f" })(reply, request);
    reply.end(content);
  });
  const body = JSON.stringify({ text });
  const expected = { customId: "a", status: 200, body };
  expect(await Array.fromAsync(at(provider.origin).results("b"))).toEqual([expected, expected]);
  for (content of ["{", "[]", "{}"])
    await expect(Array.fromAsync(at(provider.origin).results("b"))).rejects.toMatchObject({
      kind: "malformed_reply",
    });
});
