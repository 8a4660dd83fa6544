/** What of a conversation may be kept: nothing that looks like a secret, wherever it is cut. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ChoiceSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { MessageSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { withoutKey } from "../../src/core/redact.ts";
import { type KeptRules, keptText } from "../../src/moderation/kept.ts";
import { pii } from "../../src/moderation/pii.ts";
import { secrets } from "../../src/moderation/secrets.ts";

const OWN_KEY = "MyOwnKeyThatLooksLikeNone";
const RULES: KeptRules = {
  maxBytes: 1_024,
  patterns: [secrets([]), pii([])],
  hide: (text) => withoutKey(text, OWN_KEY),
  isSensitive: (text) => text.includes("bluebird"),
};
type MessageInit = MessageInitShape<typeof MessageSchema>;
type ChoiceInit = MessageInitShape<typeof ChoiceSchema>;

function kept(messages: MessageInit[], choices: ChoiceInit[] = [], more: object = {}, rules: object = {}) {
  const made = choices.map((choice) => create(ChoiceSchema, choice));
  return keptText(
    {
      messages: messages.map((message) => create(MessageSchema, message)),
      choices: made,
      answerChars: made.reduce((sum, { message }) => sum + (message?.content.length ?? 0), 0),
      truncated: false,
      ...more,
    },
    { ...RULES, ...rules },
  );
}

const user = (content: string) => ({ role: "user", content });

/** What stands around it is no secret. */
const SECRETS: readonly (readonly [before: string, secret: string, after: string])[] = [
  ["", "sk-proj-A1b2C3d4E5f6G7h8I9j0K1l2M3n4", ""],
  ["", "AKIAIOSFODNN7EXAMPLE", ""],
  ["", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", ""],
  ["Bearer ", "a1B2c3D4e5F6g7H8i9J0", ""],
  ["password: ", "hunter2-and-more", ""],
  ["postgres://app:", "s3cr3tPa55word", "@db"],
  [
    "-----BEGIN PRIVATE KEY-----\n",
    "MIIEvQIBADANBgkq hkiG9w0BAQEF AASC\nBKcwggSjAgEA",
    "\n-----END PRIVATE KEY-----",
  ],
  ["", "4111 1111 1111 1111", ""],
  ["", "DE89 3704 0044 0532 0130 00", ""],
  ["", "ann.longname@mail.example.com", ""],
  ["", OWN_KEY, ""],
];
/** So much of one may be by chance. */
const TELLING = 5;

function remnant(text: string, secret: string): string {
  for (let at = 0; at + TELLING <= secret.length; at++) {
    const piece = secret.slice(at, at + TELLING);
    if (text.includes(piece)) return piece;
  }
  return "";
}

describe("what is kept", () => {
  it.each(SECRETS)("has nothing of %s%s%s, wherever the cut is", (before, secret, after) => {
    for (let at = 940; at < 1_030; at++) {
      const filler = "so it is, ".repeat(110).slice(0, at - before.length - 1);
      const content = `${filler} ${before}${secret}${after} and so on`;
      const text = kept([user(content)])?.messages[0]?.content ?? "";
      expect(text.length).toBeGreaterThan(800);
      expect(remnant(text, secret), `cut at ${at}: ${text.slice(-80)}`).toBe("");
    }
  });

  it.each(SECRETS)("has nothing of %s%s%s behind the end of a line in JSON", (before, secret, after) => {
    const json = JSON.stringify({ note: `Look:\n${before}${secret}${after}` });
    const value = { id: "c1", name: "save", arguments: json };
    const parts: MessageInit["parts"] = [{ part: { case: "toolCall", value } }];
    const said = kept([
      { role: "assistant", parts },
      { role: "tool", content: json },
    ])?.messages;
    const call = said?.[0]?.parts[0]?.part;
    expect.assert(call?.case === "toolCall");
    for (const text of [call.value.arguments, said?.[1]?.content ?? ""]) {
      expect(remnant(text, secret), text).toBe("");
      expect(JSON.parse(text).note).toMatch(/^Look:\n/);
    }
  });

  it.each(SECRETS)("has nothing of %s%s%s, wherever an answer was broken off", (before, secret, after) => {
    const answer = `${before}${secret}${after}`;
    for (let length = 1; length <= answer.length; length++) {
      const content = `Whoever asks is told that ${answer.slice(0, length)}`;
      for (const [finishReason, more] of [
        ["", {}],
        ["length", {}],
        ["stop", { truncated: true }],
      ] as const) {
        const choice = { message: { role: "assistant", content }, finishReason };
        const found = kept([user("Well?")], [choice], more);
        const said = found?.choices[0]?.message?.content ?? "";
        expect(said).toMatch(/^Whoever /);
        expect(remnant(said, secret), said).toBe("");
        expect(found?.truncated).toBe(true);
      }
    }
  });

  it("ends in whole characters, and in no more bytes than it may", () => {
    for (let maxBytes = 1_024; maxBytes < 1_040; maxBytes++) {
      // A single word that is longer than any secret.
      const found = kept([user("🦉é".repeat(6_000))], [], {}, { maxBytes: 10 * maxBytes });
      const text = found?.messages[0]?.content ?? "";
      expect(found?.truncated).toBe(true);
      expect(text.isWellFormed()).toBe(true);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(10 * maxBytes);
    }
    const placed = kept([user("ann@example.com ".repeat(63))], [], {}, { maxBytes: 500 });
    expect(placed?.messages[0]?.content).toMatch(/^(\[EMAIL_1\] )+/);
  });

  it("has the latest messages, and of an answer at least half", () => {
    const found = kept(
      ["first", "second", "third"].map((word) => user(`${word} `.repeat(60))),
      [{ message: { role: "assistant", content: "answer ".repeat(200) }, finishReason: "stop" }],
    );
    expect(found?.messages.at(-1)?.content).toBe("third ".repeat(60));
    expect(found?.messages[0]?.content).toMatch(/^second (second )+$/);
    expect(found?.choices[0]?.message?.content.length).toBeGreaterThan(480);
    expect(found?.truncated).toBe(true);
    const whole = kept([user("Hello")], [{ message: { content: "x ".repeat(400) }, finishReason: "stop" }]);
    expect(whole).toMatchObject({ truncated: false });
    expect(whole?.choices[0]?.message?.content).toBe("x ".repeat(400));
  });

  it("has type and size of what is no text, and no seals", () => {
    const data = new Uint8Array(300);
    const parts: MessageInit["parts"] = [
      { part: { case: "image", value: { source: { case: "data", value: data }, mediaType: "image/png" } } },
      { part: { case: "image", value: { source: { case: "url", value: "https://x.example.com/?sig=1" } } } },
      {
        part: { case: "file", value: { source: { case: "fileId", value: "file-1" }, mediaType: "text/csv" } },
      },
      { part: { case: "file", value: { source: { case: "url", value: "data:text/csv;base64,AAAA" } } } },
      { part: { case: "reasoning", value: { text: "Hm", signature: "seal", redacted: "sealed" } } },
      {
        part: { case: "toolCall", value: { id: "1", name: "pay", arguments: '{"card":"4111111111111111"}' } },
      },
      { part: { case: "toolResult", value: { toolCallId: "1", content: "paid by ann@example.com" } } },
    ];
    const found = kept([{ role: "user", parts }]);
    expect(found?.messages[0]?.parts.map(({ part }) => part.value)).toMatchObject([
      "[image: image/png, 300 bytes]",
      "[image: by its address]",
      "[file: text/csv, uploaded before]",
      "[file: text/csv, 3 bytes]",
      { text: "Hm", signature: "", redacted: "" },
      { id: "1", name: "pay", arguments: '{"card":"[CARD_1]"}' },
      { toolCallId: "1", content: "paid by [EMAIL_1]" },
    ]);
    expect(found?.truncated).toBe(false);
  });

  it("is nothing at all where a part of it is of the operator's own patterns", () => {
    const choice = { message: { content: "project bluebird" }, finishReason: "stop" };
    expect(kept([user("Hello")], [choice])).toBeUndefined();
    expect(kept([user("bluebird"), user("Hello")])).toBeUndefined();
  });
});
