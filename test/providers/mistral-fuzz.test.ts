/** Whatever Mistral sends, the decoder answers with events or a Failure, and forgets no usage. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Failure } from "../../src/core/failure.ts";
import { mistralDialect } from "../../src/providers/mistral/dialect.ts";
import { emulated, post } from "../emulator/emulated.ts";
import { loadRecordings, recordingsFolder } from "../recordings/recordings.ts";
import { checkEvents, flipped, flips, onlyFailures, readStream, swapped, swaps } from "../support/fuzz.ts";

const usage = {
  prompt_tokens: 5,
  completion_tokens: 7,
  total_tokens: 12,
  prompt_tokens_details: { cached_tokens: 1 },
  service_tier: "standard",
};
const chunks = [
  {
    type: "thinking",
    thinking: [
      { type: "text", text: "Hm" },
      { type: "tool_reference", tool: "web", title: "A page" },
    ],
    signature: "s",
  },
  { type: "text", text: "é 🎉" },
  { type: "reference", reference_ids: [1, "b"] },
  { type: "image_url", image_url: "https://example.com/a.png" },
];
const tool_calls = [
  { id: "aX2gaLIyo", type: "function", function: { name: "look", arguments: "{}" }, index: 0 },
];
const said = { role: "assistant", content: chunks, tool_calls };
const head = { id: "1", object: "chat.completion.chunk", created: 1, model: "m" };
const CHUNKS = [
  { ...head, choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] },
  { ...head, choices: [{ index: 0, delta: said, finish_reason: null }], p: "abc" },
  { ...head, choices: [{ index: 0, delta: { content: "44" }, finish_reason: "tool_calls" }], usage },
];
const REPLY = { ...head, usage, choices: [{ index: 0, finish_reason: "stop", message: said }] };
const ERRORS = [
  { object: "error", message: "no", type: "invalid_model", param: null, code: "1500", raw_status_code: 400 },
  { detail: [{ loc: ["body", "messages", 0], msg: "Field required", type: "missing" }] },
  { object: "error", message: { detail: [{ loc: ["body"], msg: "no" }] }, code: null },
];

const emulator = await emulated();

function framed(datas: readonly string[]): Buffer {
  return Buffer.from(datas.map((data) => `data: ${data}\n\n`).join(""));
}

test("a stream with odd values", () => {
  fc.assert(
    fc.property(fc.array(swaps, { minLength: 3, maxLength: 3 }), (all) => {
      const datas = CHUNKS.map((chunk, i) => swapped(chunk, all[i] ?? []));
      readStream(framed([...datas, "[DONE]"]), mistralDialect.decodeStream({}));
    }),
    { seed: 11, numRuns: 1000 },
  );
});

test("whole replies and errors with odd values", () => {
  fc.assert(
    fc.property(swaps, fc.integer({ min: 300, max: 599 }), (places, status) => {
      onlyFailures(() => checkEvents(mistralDialect.decodeReply(swapped(REPLY, places), {}).events));
      for (const error of ERRORS)
        expect(mistralDialect.classify(status, {}, swapped(error, places))).toBeInstanceOf(Failure);
    }),
    { seed: 12, numRuns: 500 },
  );
});

test("errors that are nested without end", () => {
  const deep = `${'{"message":{"detail":[{"loc":'.repeat(2000)}1${"}]}}".repeat(2000)}`;
  const path = `{"detail":[{"loc":${"[".repeat(5000)}${"]".repeat(5000)},"msg":"no"}]}`;
  for (const body of [deep, path])
    expect(mistralDialect.classify(422, {}, body).kind).toBe("provider_bad_request");
});

/** Streams of the emulator, and those that were recorded where there are any. */
async function streams(): Promise<Buffer[]> {
  const bodies = [{}, { reasoning_effort: "high", max_tokens: 80 }, { n: 2 }].map(async (fields) => {
    const reply = await post(`${emulator.url}/mistral/v1/chat/completions`, {
      model: "mistral-small-latest",
      messages: [{ role: "user", content: "Hello" }],
      stream: true,
      ...fields,
    });
    return Buffer.from(await reply.arrayBuffer());
  });
  const folder = recordingsFolder();
  const recorded = folder === undefined ? [] : loadRecordings(folder, ["mistral"]);
  return [
    ...(await Promise.all(bodies)),
    ...recorded.filter(({ meta }) => meta.request.stream).map(({ body }) => Buffer.from(body)),
  ];
}

test("a real stream with wrong bytes, cut anywhere", async () => {
  const wholes = await streams();
  fc.assert(
    fc.property(
      fc.nat(wholes.length - 1),
      flips,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (which, changes, share) => {
        const whole = wholes[which] ?? Buffer.alloc(0);
        const bytes = flipped(Buffer.from(whole.subarray(0, Math.floor(whole.length * share))), changes);
        readStream(bytes, mistralDialect.decodeStream({}));
      },
    ),
    { seed: 13, numRuns: 600 },
  );
});
