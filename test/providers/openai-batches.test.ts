/** OpenAI's batches by the adapter, over the emulator and over replies that it does not give. */
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { openaiBatches } from "../../src/providers/openai/batches.ts";
import { emulated, openAiClient } from "../emulator/emulated.ts";
import { hastened, VirtualClock } from "../support/clock.ts";
import { lossyBefore } from "../support/lossy.ts";
import { answers, NO_CREDENTIALS, scriptedProvider } from "../support/provider.ts";

const at = (baseUrl: string, clock: Clock = hastened(200)) =>
  openaiBatches({ baseUrl, query: "", headers: {}, credentials: NO_CREDENTIALS }, clock);
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

describe("a batch that was made, but not heard of,", () => {
  const says502 = (reply: ServerResponse) => void reply.writeHead(502).end("<h1>Bad Gateway</h1>");

  test.each<[string, typeof says502 | undefined]>([
    ["by a connection that broke", undefined],
    ["by whoever stands before the provider", says502],
  ])("%s, is found, and not made again", async (_, instead) => {
    const emulator = await emulated();
    const sdk = openAiClient(emulator);
    await using lossy = await lossyBefore(emulator.url, ({ url }) => url === "/v1/batches", instead);
    const clock = new VirtualClock();
    const adapter = at(`${lossy.url}/v1`, clock);
    const creating = adapter.create([adapter.line("a", WIRE)]);
    await expect.poll(() => clock.pending).toBe(1);
    // Others make theirs meanwhile, of files of their own, and more than a page of the list has.
    for (let n = 0; n < 101; n++) await at(`${emulator.url}/v1`).create(["{}"]);
    await clock.advance(1_000);
    const id = await creating;
    const { input_file_id } = await sdk.batches.retrieve(id);
    expect(await (await sdk.files.content(input_file_id)).text()).toContain('"custom_id":"a"');
    expect((await Array.fromAsync(sdk.batches.list())).length).toBe(102);
  });

  test("is looked for again, and for fifteen seconds", async () => {
    let looks = 0;
    await using provider = await scriptedProvider((reply, request) => {
      if (request.url === "/files") return answers(200, { id: "file-1", created_at: 100 })(reply, request);
      const list = request.url.startsWith("/batches?");
      if (list) looks += 1;
      if (!list || looks === 1) return void reply.destroy();
      const other = { id: "other", input_file_id: "file-0", created_at: 41 };
      const made = { id: "made", input_file_id: "file-1", created_at: 100 };
      answers(200, { data: looks === 2 ? [other] : [other, made] })(reply, request);
    });
    expect(await at(provider.origin).create(["{}"])).toBe("made");
  });

  test("and is not found, may have been made, and is not sought among older ones", async () => {
    await using provider = await scriptedProvider((reply, request) => {
      if (request.url === "/files") return answers(200, { id: "file-1", created_at: 100 })(reply, request);
      if (!request.url.startsWith("/batches?")) return void reply.destroy();
      const older = { id: "older", input_file_id: "file-0", created_at: 40 };
      answers(200, { data: [older], has_more: true })(reply, request);
    });
    await expect(at(provider.origin).create(["{}"])).rejects.toMatchObject({ kind: "cut", maybePaid: true });
    const asked = provider.requests.map(({ url }) => url.replace(/\?.*/, ""));
    expect(asked).toEqual(["/files", "/batches", "/batches", "/batches", "/batches"]);
  });

  test("was not made where the provider says so, and is not looked for", async () => {
    await using provider = await scriptedProvider((reply, request) =>
      request.url === "/files"
        ? answers(200, { id: "file-1" })(reply, request)
        : answers(429, { error: { message: "slow down" } })(reply, request),
    );
    await expect(at(provider.origin).create(["{}"])).rejects.toMatchObject({ kind: "provider_rate_limited" });
    expect(provider.requests.length).toBe(2);
  });
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
