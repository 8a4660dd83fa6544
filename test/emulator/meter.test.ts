import { request } from "node:http";
import { describe, expect, test, vi } from "vitest";
import { type MeterRecord, type MeterTotals, RequestMeter } from "../../src/emulator/meter.ts";
import { startEmulator } from "../../src/emulator/server.ts";
import { chatBody, emulated, postChat, readJson } from "./emulated.ts";

const emulator = await emulated();
const { meter } = emulator;

/** Posts a chat and leaves everything about its connection to the test. */
function open(url: string, content: string, fields: object = {}) {
  const call = request(`${url}/v1/chat/completions`, { method: "POST" });
  call.on("error", () => undefined);
  call.end(JSON.stringify(chatBody(content, fields)));
  return call;
}

describe("the meter", () => {
  test("agrees with the usage of every reply", async () => {
    meter.reset();
    const replies = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const response = await postChat(emulator, `Question ${index}`, { n: (index % 3) + 1 });
        const text = await response.text();
        return {
          id: response.headers.get("x-request-id"),
          bytes: Buffer.byteLength(text),
          usage: JSON.parse(text).usage,
        };
      }),
    );
    await meter.ended(20);
    for (const { id, bytes, usage } of replies) {
      expect(meter.requests.find((record) => record.id === id)).toMatchObject({
        path: "/v1/chat/completions",
        model: "gpt-4o",
        status: 200,
        outcome: "served",
        stream: false,
        inputTokens: usage.prompt_tokens,
        outputTokens: usage.completion_tokens,
        bytesWritten: bytes,
      });
    }
    expect(meter.totals()).toMatchObject({
      requests: 20,
      served: 20,
      open: 0,
      outputTokens: replies.reduce((sum, reply) => sum + reply.usage.completion_tokens, 0),
      bytesWritten: replies.reduce((sum, reply) => sum + reply.bytes, 0),
    });
  });

  test("sees at once that the client of a stream left, with what it had got", async () => {
    meter.reset();
    const call = open(emulator.url, "[[emulate: interval_ms=60000]]", { stream: true });
    await new Promise<void>((resolve) => {
      call.once("response", (response) => {
        response.on("error", () => undefined);
        let text = "";
        response.on("data", (bytes) => {
          text += bytes;
          if (text.includes('"content":"This"')) resolve();
        });
      });
    });
    expect(meter.requests).toMatchObject([{ outcome: "open", outputTokens: 1 }]);
    const left = Date.now();
    call.destroy();
    await meter.ended(1);
    expect(meter.requests).toMatchObject([{ outcome: "aborted", outputTokens: 1, status: 200 }]);
    expect((meter.requests[0]?.endedAtMs ?? 0) - left).toBeLessThan(1_000);
  });

  test.each(["hang=1", "delay_ms=60000"])(
    "sees that a client left before its answer: %s",
    async (directive) => {
      meter.reset();
      const call = open(emulator.url, `[[emulate: ${directive}]]`);
      await vi.waitFor(() => expect(meter.requests[0]?.inputTokens).toBeGreaterThan(0));
      expect(meter.totals()).toMatchObject({ open: 1, aborted: 0 });
      call.destroy();
      await meter.ended(1);
      expect(meter.requests).toMatchObject([
        { outcome: "aborted", status: 0, outputTokens: 0, fault: directive },
      ]);
    },
  );

  test("a flood waits for its reader", async () => {
    meter.reset();
    const call = open(emulator.url, "[[emulate: flood=1 tokens=100000]]", { stream: true, max_tokens: 5 });
    const response = await new Promise<import("node:http").IncomingMessage>((resolve) =>
      call.once("response", resolve),
    );
    response.pause();
    let seen = -1;
    await vi.waitFor(
      () => {
        const before = seen;
        seen = meter.requests[0]?.bytesWritten ?? 0;
        expect(seen).toBe(before);
      },
      { interval: 100, timeout: 10_000 },
    );
    expect(meter.requests).toMatchObject([{ outcome: "open" }]);
    let received = 0;
    for await (const bytes of response) received += bytes.length;
    await meter.ended(1);
    expect(meter.requests).toMatchObject([
      { outcome: "served", outputTokens: 100_000, bytesWritten: received },
    ]);
    expect(seen).toBeLessThan(received / 2);
  });

  test("a flood without a length ends when its reader leaves", async () => {
    meter.reset();
    const call = open(emulator.url, "[[emulate: flood=1]]", { stream: true });
    call.once("response", (response) =>
      response.once("data", () => call.destroy()).on("error", () => undefined),
    );
    await meter.ended(1);
    expect(meter.requests).toMatchObject([{ outcome: "aborted" }]);
    expect(meter.requests[0]?.outputTokens).toBeLessThan(200_000);
  });

  test("is read and emptied over HTTP, and does not meter that", async () => {
    meter.reset();
    await (await postChat(emulator, "Hi")).text();
    await meter.ended(1);
    const url = `${emulator.url}/emulator/meter`;
    const read = await readJson<{ totals: MeterTotals; requests: MeterRecord[] }>(await fetch(url));
    expect(read).toEqual({ totals: meter.totals(), requests: meter.requests });
    expect(read.totals.requests).toBe(1);
    expect(Object.keys(read.requests[0] ?? {}).sort()).toEqual(
      [
        "cacheWrite1hTokens",
        "cacheWriteTokens",
        "cachedInputTokens",
        "bytesWritten",
        "endedAtMs",
        "id",
        "inputTokens",
        "model",
        "outcome",
        "outputTokens",
        "path",
        "reasoningTokens",
        "startedAtMs",
        "status",
        "stream",
      ].sort(),
    );
    await (await postChat(emulator, "Hi")).text();
    await meter.ended(2);
    const latest = await readJson<{ totals: MeterTotals; requests: MeterRecord[] }>(
      await fetch(`${url}?limit=1`),
    );
    expect(latest).toEqual({ totals: meter.totals(), requests: meter.requests.slice(1) });
    expect((await fetch(url, { method: "DELETE" })).status).toBe(204);
    expect(meter.totals().requests).toBe(0);
    expect((await fetch(url, { method: "PUT" })).status).toBe(405);
  });

  test("keeps the mark of a request, which is no fault", async () => {
    meter.reset();
    await (await postChat(emulator, "[[emulate: mark=call-7]] Hi")).text();
    await postChat(emulator, "[[emulate: mark=call-8 status=429]] Hi");
    await meter.ended(2);
    const [plain, refused] = meter.requests;
    expect(plain).toMatchObject({ mark: "call-7", status: 200 });
    expect(plain).not.toHaveProperty("fault");
    expect(refused).toMatchObject({ mark: "call-8", fault: "status=429" });
  });

  test("refusals are records too", async () => {
    meter.reset();
    await postChat(emulator, "Hi", { model: "no-such-model" });
    await fetch(`${emulator.url}/nowhere`);
    await meter.ended(2);
    expect(meter.requests).toMatchObject([
      { model: "no-such-model", status: 404, outcome: "error", inputTokens: 0 },
      { path: "/nowhere", status: 404, outcome: "error" },
    ]);
  });
});

test("a request that was open at a reset is forgotten", async () => {
  const own = new RequestMeter();
  const before = own.open("req_1", "/");
  own.reset();
  let ended = false;
  const waiting = own.ended(1).then(() => {
    ended = true;
  });
  own.close(before, "served");
  await Promise.resolve();
  expect(ended).toBe(false);
  own.close(own.open("req_2", "/"), "error");
  await waiting;
  expect(own.totals()).toMatchObject({ requests: 1, served: 0, error: 1 });
});

test("a very long run keeps its totals and lets the oldest records go", () => {
  const own = new RequestMeter();
  const first = own.open("req_first", "/");
  for (let index = 0; index < 200_005; index++) {
    const record = own.open(`req_${index}`, "/");
    record.outputTokens = 2;
    own.close(record, "served");
  }
  expect(own.requests.length).toBeLessThan(150_000);
  expect(own.requests[0]).toBe(first);
  expect(own.totals()).toMatchObject({ requests: 200_006, served: 200_005, open: 1, outputTokens: 400_010 });
});

test("closing the emulator drops what is open, and may be done twice", async () => {
  const own = await startEmulator();
  const failed = postChat(own, "[[emulate: hang=1]]").then(
    () => false,
    () => true,
  );
  await vi.waitFor(() => expect(own.meter.requests[0]?.inputTokens).toBeGreaterThan(0));
  await own.close();
  await own.close();
  expect(await failed).toBe(true);
  await own.meter.ended(1);
  expect(own.meter.requests).toMatchObject([{ outcome: "aborted" }]);
});
