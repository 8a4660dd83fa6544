/** OpenAI's own client finds files and batches as it expects them. */
import OpenAI, { toFile } from "openai";
import { expect, test } from "vitest";
import { chatBody, emulated, openAiClient } from "./emulated.ts";

const line = (id: string, text = "Hello", fields: object = {}) =>
  JSON.stringify({
    custom_id: id,
    method: "POST",
    url: "/v1/chat/completions",
    body: chatBody(text, fields),
  });

async function batchOf(client: OpenAI, text: string, purpose: "batch" | "user_data" = "batch") {
  const file = await client.files.create({ file: await toFile(Buffer.from(text), "in.jsonl"), purpose });
  expect(file).toMatchObject({
    object: "file",
    filename: "in.jsonl",
    purpose,
    bytes: Buffer.byteLength(text),
  });
  return client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
    metadata: { team: "search" },
  });
}

async function ended(client: OpenAI, id: string) {
  for (let tries = 0; tries < 500; tries++) {
    const batch = await client.batches.retrieve(id);
    if (/completed|failed|expired|cancelled/.test(batch.status)) return batch;
  }
  throw new Error("the batch does not end");
}

async function linesOf(client: OpenAI, id = "") {
  const text = await (await client.files.content(id)).text();
  return text
    .trimEnd()
    .split("\n")
    .map((one) => JSON.parse(one));
}

test("a batch is made, worked off, and its files are read; each line is metered once", async () => {
  const emulator = await emulated();
  const client = openAiClient(emulator);
  const made = await batchOf(client, `${line("a")}\n${line("b", "[[emulate: status=429]] Hello")}\n`);
  expect(made).toMatchObject({ object: "batch", status: "validating", metadata: { team: "search" } });
  const batch = await ended(client, made.id);
  expect(batch).toMatchObject({ status: "completed", request_counts: { total: 2, completed: 1, failed: 1 } });
  const [good] = await linesOf(client, batch.output_file_id);
  const [bad] = await linesOf(client, batch.error_file_id);
  expect(good).toMatchObject({ custom_id: "a", error: null, response: { status_code: 200 } });
  expect(good.response.body).toMatchObject({ object: "chat.completion", service_tier: "default" });
  expect(bad).toMatchObject({ custom_id: "b", response: { status_code: 429 } });
  const lines = emulator.meter.requests.filter(({ path }) => path === "/v1/chat/completions");
  expect(lines.map(({ outcome, inputTokens }) => [outcome, inputTokens > 0])).toEqual([
    ["served", true],
    ["error", false],
  ]);
});

test("a batch that expires says so of each line that is left", async () => {
  const client = openAiClient(await emulated({ batchWindowMs: 30 }));
  const batch = await ended(client, (await batchOf(client, line("a", "[[emulate: hang=1]] Hello"))).id);
  expect(batch.status).toBe("expired");
  const [left] = await linesOf(client, batch.error_file_id);
  expect(left).toMatchObject({ custom_id: "a", response: null, error: { code: "batch_expired" } });
});

test("a batch that is cancelled ends soon, and cannot be cancelled again", async () => {
  const client = openAiClient(await emulated({ batchMs: 60_000 }));
  const { id } = await batchOf(client, line("a"));
  expect((await client.batches.cancel(id)).status).toBe("cancelling");
  expect((await ended(client, id)).status).toBe("cancelled");
  await expect(client.batches.cancel(id)).rejects.toThrow(/409/);
});

test("a line is refused for what chats are refused for, and for streaming", async () => {
  const client = openAiClient(await emulated());
  const text = [line("a", "Hello", { service_tier: "batch" }), line("b", "Hello", { stream: true })].join(
    "\n",
  );
  const batch = await ended(client, (await batchOf(client, text)).id);
  const errors = await linesOf(client, batch.error_file_id);
  expect(errors.map(({ response }) => response.body.error.param)).toEqual(["service_tier", "stream"]);
});

test("batches are listed, the newest first, by the page", async () => {
  const client = openAiClient(await emulated());
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.unshift((await batchOf(client, line("a"))).id);
  const first = await client.batches.list({ limit: 2 });
  expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  expect(first.has_more).toBe(true);
  expect((await Array.fromAsync(first)).map(({ id }) => id)).toEqual(ids);
  await expect(client.batches.list({ after: "batch_none" })).rejects.toThrow("No batch found");
});

test.each([
  ["not JSON", "invalid_json_line"],
  [`${line("a")}\n${line("a")}`, "duplicate_custom_id"],
  [`${line("a")}\n${line("b", "Hello", { model: "gpt-4o-mini" })}`, "mismatched_model"],
  ["", "empty_file"],
])("a file with %j fails its batch", async (text, code) => {
  const client = openAiClient(await emulated());
  const batch = await ended(client, (await batchOf(client, text)).id);
  expect(batch).toMatchObject({ status: "failed", errors: { object: "list", data: [{ code }] } });
});

test("what is not there or not meant for batches is refused", async () => {
  const client = openAiClient(await emulated());
  await expect(client.files.content("file-none")).rejects.toThrow("No such File object: file-none");
  await expect(client.files.retrieve("file-none")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  await expect(client.batches.retrieve("batch_none")).rejects.toThrow("No batch found with id 'batch_none'");
  await expect(batchOf(client, line("a"), "user_data")).rejects.toThrow("has purpose 'user_data'");
  await expect(client.post("/files", { body: { purpose: "batch" } })).rejects.toThrow("'file' is a required");
});
