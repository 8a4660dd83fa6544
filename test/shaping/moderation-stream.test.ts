/** Streams, cut wherever they can be: what is to be found is found before any of it is given. */
import { describe, expect, it } from "vitest";
import { event, reasoning, toolCallDelta } from "../../src/core/reply.ts";
import { blocklist } from "../../src/moderation/blocklist.ts";
import { edited } from "../../src/moderation/examine.ts";
import type { Patterns } from "../../src/moderation/hook.ts";
import { pii } from "../../src/moderation/pii.ts";
import { secrets } from "../../src/moderation/secrets.ts";
import { LABELLED } from "./labelled.ts";
import { DONE, hookOf, moderatedBy, pieces, textIn, textOf } from "./moderating.ts";

const KEY = `-----BEGIN RSA PRIVATE KEY-----\n${"MIIEpAIBAAKCAQEA7bq+/0aZ\n".repeat(60)}-----END RSA PRIVATE KEY-----`;

const SECRET_TEXTS: readonly string[] = [
  "the key sk-proj-abc123DEF456ghi789 is mine",
  "export GITHUB_TOKEN=ghp_16C7e42F292c6912E7710c838347Ae178B4a now",
  "AKIAIOSFODNN7EXAMPLE and more",
  "Authorization: Bearer abc.def-123456789012 end",
  "password: hunter2!x, then",
  'api_key = "9f8e7d6c5b4a39281706" ok',
  "postgres://app:s3cr3t-pass@db.example.com/x",
  "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U!",
  `here ${KEY} there`,
  JSON.stringify("my key:\nsk-proj-abc123DEF456ghi789"),
  JSON.stringify("logged:\npassword: hunter2!x\n"),
];

/** All at once, as it should come out whatever the pieces. */
function atOnce({ find }: Patterns, text: string): string {
  const counts = new Map<string, number>();
  const known = new Map<string, string>();
  const edits = find(text).map(({ start, end, category }) => {
    const key = `${category} ${text.slice(start, end)}`;
    if (!known.has(key)) {
      counts.set(category, (counts.get(category) ?? 0) + 1);
      known.set(key, `[${category.toUpperCase()}_${counts.get(category)}]`);
    }
    return { start, end, instead: known.get(key) ?? "" };
  });
  return edited(text, edits);
}

const streamed = (looks: Patterns, cut: readonly string[]) =>
  textOf(moderatedBy([hookOf(looks)], {}, pieces(cut)));

describe("a text in pieces", () => {
  const texts = LABELLED.map(({ text }) => `So: ${text} Good.`);

  it("comes out the same one character at a time, for all labelled texts", async () => {
    const looks = pii([]);
    for (const text of texts) expect(await streamed(looks, [...text]), text).toBe(atOnce(looks, text));
  }, 60_000);

  it("comes out the same cut in two at every place, for all labelled texts with personal data", async () => {
    const looks = pii([]);
    for (const { text, expected } of LABELLED) {
      if (expected.length === 0) continue;
      const whole = atOnce(looks, text);
      for (const { category, start, end } of looks.find(text)) {
        for (let at = Math.max(1, start); at <= end; at++)
          expect(
            await streamed(looks, [text.slice(0, at), text.slice(at)]),
            `${category} ${text} at ${at}`,
          ).toBe(whole);
      }
    }
  }, 60_000);

  it.each(SECRET_TEXTS)("comes out without its secret at every place: %.40s", async (text) => {
    const looks = secrets([]);
    const whole = atOnce(looks, text);
    expect(whole).toMatch(/\[[A-Z_]+_1\]/);
    expect(await streamed(looks, [...text])).toBe(whole);
    const step = text.length > 500 ? 37 : 1;
    for (let at = 1; at < text.length; at += step)
      expect(await streamed(looks, [text.slice(0, at), text.slice(at)])).toBe(whole);
  });

  it("comes out without a blocked word or expression at every place", async () => {
    const looks = blocklist(["Project Falcon", "foo"], ["code[- ]?\\d{3,6}x"]);
    const text = "About project falcon, food, foo and code-12345x or project falcons.";
    const whole = atOnce(looks, text);
    expect(whole).toBe("About [WORD_1], food, [WORD_2] and [PATTERN_1] or project falcons.");
    expect(await streamed(looks, [...text])).toBe(whole);
    for (let at = 1; at < text.length; at++)
      expect(await streamed(looks, [text.slice(0, at), text.slice(at)]), String(at)).toBe(whole);
  });

  it.each([
    ["caf\u00e9", "Un cafe\u0301 noir", "Un [WORD_1] noir"],
    ["cafe\u0301", "Un CAF\u00c9 noir", "Un [WORD_1] noir"],
    ["Z\u00fcrich AG", "Die Zu\u0308rich AG ist", "Die [WORD_1] ist"],
    ["\u0130stanbul", "Von \u0130STANBUL nach istanbul", "Von [WORD_1] nach [WORD_2]"],
    [
      "\u039f\u0394\u039f\u03a3",
      "H \u03bf\u03b4\u03bf\u03c3 H \u03bf\u03b4\u03bf\u03c2",
      "H [WORD_1] H [WORD_2]",
    ],
  ])("comes out without the word %s in %s, however its letters are written", async (word, text, expected) => {
    const looks = blocklist([word], []);
    expect(atOnce(looks, text)).toBe(expected);
    expect(await streamed(looks, [...text])).toBe(expected);
  });

  it("is given nothing of where a hook refuses, at every place", async () => {
    const text = "Take 4111 1111 1111 1111 and go";
    const hook = hookOf(pii([]), { name: "pii", action: "refuse" });
    for (let at = 1; at < text.length; at++) {
      const { events, error } = await moderatedBy([hook], {}, pieces([text.slice(0, at), text.slice(at)]));
      expect("Take ".startsWith(textIn(events)), textIn(events)).toBe(true);
      expect(error).toMatchObject({
        kind: "content_refused",
        message: 'the moderation hook "pii" refuses the answer: card',
      });
    }
  });

  it("comes out the same in pieces of any size", async () => {
    const text = `${"Plain prose, word for word. ".repeat(1_500)}Card 4111 1111 1111 1111 it is.`;
    const looks = pii([]);
    for (const at of [text.length - 8, text.length - 15, text.length - 20, 25_000])
      expect(await streamed(looks, [text.slice(0, at), text.slice(at)])).toBe(atOnce(looks, text));
  });

  it("is held back no further than what may still be something", async () => {
    const said = async (text: string) => {
      const { events } = await moderatedBy([hookOf(pii([]))], {}, [[event({ token: text })]]);
      return textIn(events);
    };
    expect(await said("The answer is plain prose, word for word")).toBe("The answer is plain prose, word ");
    expect(await said("Pay by 4111 1111")).toBe("");
    expect(await said("Please pay quickly by transfer 4111 1111")).toBe("Please pay quickly by transfer ");
    // Whatever comes, something is given in the end.
    expect((await said("x".repeat(5_000))).length).toBeGreaterThan(4_000);
  });
});

describe("what is not plain text", () => {
  const looks = pii([]);
  const CARD = "4111 1111 1111 1111";

  it("is looked at too: thoughts, refusals, and what tools are called with, which stays JSON", async () => {
    const call = (text: string) => event({ toolCall: toolCallDelta(0, { arguments: text }) });
    const said = [
      [event({ reasoning: reasoning({ text: "It is 4111 1111 " }) })],
      [event({ reasoning: reasoning({ text: "1111 1111." }) })],
      [event({ reasoning: reasoning({ signature: "sealed" }) })],
      [event({ refusal: `No ${CARD}` })],
      [event({ toolCall: toolCallDelta(0, { id: "c1", name: "pay", arguments: "" }) })],
      [call('{"card": 41111111'), call('11111111, "to": "ann@exa'), call('mple.com"}')],
      [DONE],
    ];
    const { events } = await moderatedBy([hookOf(looks)], {}, said);
    const thoughts = events.map((one) => one.reasoning?.text ?? "").join("");
    expect(thoughts).toBe("It is [CARD_1].");
    // The provider sealed other thoughts.
    expect(events.some((one) => one.reasoning?.signature)).toBe(false);
    expect(events.map((one) => one.refusal ?? "").join("")).toBe("No [CARD_1]");
    const args = events.map((one) => one.toolCall?.arguments ?? "").join("");
    expect(JSON.parse(args)).toEqual({ card: "[CARD_2]", to: "[EMAIL_1]" });
    expect(events.find((one) => one.toolCall?.name)?.toolCall).toMatchObject({ id: "c1", name: "pay" });
  });

  it("is read as JSON reads it, cut at every place: what stands behind an escape, and what is written with some", async () => {
    const said = {
      a: "Ann\nann@example.com",
      b: "SSN\n123-45-6789\t",
      c: 'C:\\new "4111\u00a01111 1111 1111"',
      d: "é@é.fr",
    };
    const expected = { a: "Ann\n[EMAIL_1]", b: "SSN\n[US_SSN_1]\t", c: 'C:\\new "[CARD_1]"', d: "[EMAIL_2]" };
    const ascii = (text: string) =>
      text.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
    for (const text of [JSON.stringify(said), ascii(JSON.stringify(said)), JSON.stringify(said, null, 2)])
      for (let at = 1; at <= text.length; at++) {
        const call = (part: string) => [event({ toolCall: toolCallDelta(0, { arguments: part }) })];
        const cut = [call(text.slice(0, at)), call(text.slice(at)), [DONE]];
        const { events } = await moderatedBy([hookOf(looks)], {}, cut);
        const args = events.map((one) => one.toolCall?.arguments ?? "").join("");
        expect(JSON.parse(args), `at ${at}: ${args}`).toEqual(expected);
      }
  });

  it.each([true, false])(
    "stays JSON where an answer is to be JSON, cut at every place (streamed: %s)",
    async (streaming) => {
      const key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----";
      const messages = [{ role: "user", content: `It is ${key}` }];
      const request = { messages, responseFormat: { type: "json_object" } };
      const hooks = [hookOf(looks), hookOf(secrets([]), { restore: true })];
      const text = JSON.stringify({ a: `To\nann@example.com, "${CARD}\n${CARD}"`, b: "[PRIVATE_KEY_1]" });
      for (let at = 1; at < text.length; at += streaming ? 1 : 9) {
        const said = pieces([text.slice(0, at), text.slice(at)]);
        const given = await textOf(moderatedBy(hooks, { request, streaming }, said));
        expect(JSON.parse(given), `at ${at}`).toEqual({ a: 'To\n[EMAIL_1], "[CARD_1]\n[CARD_1]"', b: key });
      }
    },
  );

  it("is left alone where the hook does not look at it, and keeps its seal where nothing was changed", async () => {
    const said = [
      [event({ reasoning: reasoning({ text: `It is ${CARD}.` }) })],
      [event({ reasoning: reasoning({ signature: "sealed" }) })],
      [event({ token: "Done." })],
      [DONE],
    ];
    const hook = hookOf(looks, { looksAt: (kind) => kind === "text" });
    const { events } = await moderatedBy([hook], {}, said);
    expect(events[0]?.reasoning?.text).toContain(CARD);
    expect(events.some((one) => one.reasoning?.signature === "sealed")).toBe(true);
  });

  it("keeps its order, and each choice its own text", async () => {
    const said = [
      [event({ token: "First ann@exam", index: 0 }), event({ token: "Second bob@exam", index: 1 })],
      [event({ token: "ple.com", index: 0 }), event({ token: "ple.org", index: 1 })],
      [event({ finishReason: "stop", index: 0 }), event({ finishReason: "stop", index: 1 })],
      [DONE],
    ];
    const { events } = await moderatedBy([hookOf(looks)], {}, said);
    const of = (index: number) => events.filter((one) => (one.index ?? 0) === index && !one.done);
    expect(textIn(of(0))).toBe("First [EMAIL_1]");
    expect(textIn(of(1))).toBe("Second [EMAIL_2]");
    expect(of(0).at(-1)?.finishReason).toBe("stop");
    expect(events.at(-1)).toBe(DONE);
  });
});
