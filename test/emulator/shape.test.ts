import { describe, expect, test } from "vitest";
import { loadRecordings, type Recording, recordingsFolder } from "../recordings/recordings.ts";
import { emulated, post } from "./emulated.ts";
import { shapes } from "./shapes.ts";

/** Recorded requests that the emulator is to answer in the recorded shape; with what is changed in them. */
const CASES: Readonly<Record<string, object>> = {
  "openai/stream-text-usage": {},
  "openai/stream-text-no-usage": {},
  "openai/stream-length": {},
  "openai/stream-json-schema": {},
  "openai/stream-tool-call": { messages: [{ role: "user", content: "Use get_capital" }] },
  "openai/chat-text-reasoning-usage": {},
  "openai/chat-json-object": {},
  "openai/chat-custom-tool-call": {},
  "openai/embeddings-base64": {},
  "openai/error-400-empty-messages": {},
  "openai/error-400-embeddings": { encoding_format: "float" },
  "openai/error-400-unsupported-parameter": {},
  "azure-openai/stream-text": {},
  "mistral/chat-json-object": {},
  "mistral/chat-json-schema": {},
  "mistral/chat-parallel-tool-calls": { messages: [{ role: "user", content: "Use dice_roll" }] },
  "mistral/chat-thinking": {},
  "mistral/stream-thinking-small": {},
  "mistral/stream-two-choices": {},
  "mistral/stream-tool-call-cached": { messages: [{ role: "user", content: "Use weather" }] },
  "mistral/embeddings": {},
  "mistral/error-400-batch": {},
  "mistral/error-400-model": { model: "no-such-model" },
};

const folder = recordingsFolder();

if (folder === undefined) {
  test("no recordings were found", () => {
    expect(process.env.CI, "CI must compare with the recordings").not.toBe("true");
  });
} else {
  const recordings = loadRecordings(folder, ["openai", "azure-openai", "mistral"]);
  const emulator = await emulated();
  describe("the emulator answers in the shape that was recorded", () => {
    test.each(Object.entries(CASES))("%s", async (name, changes) => {
      const recording = recordings.find((one) => `${one.provider}/${one.name}` === name);
      if (recording === undefined) throw new Error(`no recording ${name}`);
      const request = { ...JSON.parse(recording.request ?? "{}"), ...changes };
      const response = await post(emulator.url + pathOf(recording), request);
      expect(response.status).toBe(recording.meta.status);
      expect(response.headers.get("content-type")).toBe(recording.meta.content_type);
      expect(shapes(await response.text())).toEqual(shapes(recording.body.toString("utf8")));
    });
  });
}

const BASES: Readonly<Record<string, string>> = {
  "azure-openai": "/openai/deployments/chat/",
  mistral: "/mistral/v1/",
};

function pathOf({ provider, meta }: Recording): string {
  return (BASES[provider] ?? "/v1/") + meta.operation;
}
