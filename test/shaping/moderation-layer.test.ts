/** The layer of moderation: what follows from what hooks say, and from hooks that fail. */
import { describe, expect, it, test } from "vitest";
import type { Call } from "../../src/core/call.ts";
import { Failure } from "../../src/core/failure.ts";
import { event, toolCallDelta } from "../../src/core/reply.ts";
import { blocklist } from "../../src/moderation/blocklist.ts";
import type { Asking, Verdict } from "../../src/moderation/hook.ts";
import { pii } from "../../src/moderation/pii.ts";
import { secrets } from "../../src/moderation/secrets.ts";
import { chatOf } from "../support/call.ts";
import { settled, VirtualClock } from "../support/clock.ts";
import { DONE, hookOf, moderatedBy, pieces, textIn, textOf } from "./moderating.ts";

const user = (content: string) => ({ role: "user", content });
const contents = (call: Call | undefined) => call && chatOf(call).messages.map(({ content }) => content);

describe("a request", () => {
  it("goes on with placeholders, the same for the same value, and none for what it says already", async () => {
    const request = {
      messages: [user("I am ann@example.com, not [EMAIL_1]."), user("bob@example.com, ann@example.com")],
    };
    const { below, call } = await moderatedBy([hookOf(pii([]))], { request }, pieces(["Hi"]));
    expect(contents(below)).toEqual(["I am [EMAIL_2], not [EMAIL_1].", "[EMAIL_3], [EMAIL_2]"]);
    expect(contents(call)).toEqual(request.messages.map(({ content }) => content));
    expect(call.tally.moderation).toEqual([
      {
        $typeName: "llmgateway.v1.Moderated",
        hook: "hook",
        stage: "request",
        action: "redact",
        category: "email",
        count: 3,
      },
    ]);
  });

  it("is looked at wherever it has text: parts, tools' arguments and results, thoughts, and inputs of embeddings", async () => {
    const mail = "ann@example.com";
    const request = {
      messages: [
        { role: "user", parts: [{ part: { case: "text" as const, value: mail } }] },
        {
          role: "assistant",
          parts: [
            { part: { case: "reasoning" as const, value: { text: mail, signature: "sealed" } } },
            {
              part: {
                case: "toolCall" as const,
                value: { id: "c", name: "n", arguments: `{"to":"${mail}"}` },
              },
            },
          ],
        },
        {
          role: "tool",
          parts: [{ part: { case: "toolResult" as const, value: { toolCallId: "c", content: mail } } }],
        },
      ],
    };
    const hooks = [hookOf(pii([]))];
    const { below } = await moderatedBy(hooks, { request }, pieces(["Hi"]));
    const parts =
      below && chatOf(below).messages.flatMap((message) => message.parts.map(({ part }) => part.value));
    expect(parts).toMatchObject([
      "[EMAIL_1]",
      { text: "[EMAIL_1]", signature: "sealed" },
      { arguments: '{"to":"[EMAIL_1]"}' },
      { content: "[EMAIL_1]" },
    ]);
    const rows = JSON.stringify({ rows: "name\n4111111111111111\nann@example.com" });
    const answered = { messages: [{ role: "tool", content: rows }] };
    expect(contents((await moderatedBy(hooks, { request: answered }, pieces(["Hi"]))).below)).toEqual([
      JSON.stringify({ rows: "name\n[CARD_1]\n[EMAIL_1]" }),
    ]);
    const embedded = await moderatedBy(hooks, { embed: { input: [`mail ${mail}`, "none"] } }, [[DONE]]);
    expect(embedded.below?.request).toMatchObject({ input: ["mail [EMAIL_1]", "none"] });
  });

  it("that is refused goes no further, and the failure names the hook and no text", async () => {
    const hook = hookOf(blocklist(["falcon"], []), { name: "names", action: "refuse" });
    const { below, error, counted } = await moderatedBy(
      [hook],
      { request: { messages: [user("Falcon?")] } },
      [],
    );
    expect(below).toBeUndefined();
    expect(error).toMatchObject({
      kind: "content_refused",
      message: 'the moderation hook "names" refuses the request: word',
    });
    expect(counted).toEqual(["names refuse request"]);
  });

  it("is flagged without a change, or only counted", async () => {
    const request = { messages: [user("ann@example.com")] };
    for (const action of ["flag", "allow"] as const) {
      const { below, call, counted } = await moderatedBy(
        [hookOf(pii([]), { action })],
        { request },
        pieces(["Hi"]),
      );
      expect(contents(below)).toEqual(["ann@example.com"]);
      expect(call.tally.moderation.length).toBe(action === "flag" ? 1 : 0);
      expect(counted).toEqual([`hook ${action} request`]);
    }
  });

  it("is seen by each hook as the one before left it", async () => {
    const hooks = [hookOf(pii([])), hookOf(blocklist(["example"], []), { name: "later", action: "refuse" })];
    const request = { messages: [user("ann@example.com")] };
    expect((await moderatedBy(hooks, { request }, pieces(["Hi"]))).error).toBeUndefined();
    expect((await moderatedBy(hooks.toReversed(), { request }, [])).error).toMatchObject({
      kind: "content_refused",
    });
  });

  it("is refused above so many characters, and so is an answer", async () => {
    const hook = hookOf({ kind: "length", maxChars: 10 }, { name: "short", action: "refuse" });
    const long = { request: { messages: [user("six si"), user("six si")] } };
    expect((await moderatedBy([hook], long, [])).error).toMatchObject({ kind: "content_refused" });
    const short = { request: { messages: [user("six si")] } };
    const { events, error } = await moderatedBy([hook], short, pieces(["12345", "67890", "1", "2"]));
    expect([textIn(events), error]).toMatchObject(["1234567890", { kind: "content_refused" }]);
    const unary = await moderatedBy([hook], { ...short, streaming: false }, pieces(["12345", "678901"]));
    expect([unary.events, unary.error]).toMatchObject([[], { kind: "content_refused" }]);
  });

  it("by somebody who is exempt is left alone", async () => {
    const hook = hookOf(pii([]), { isFor: ({ context }) => context.principal !== "auditor" });
    const init = { request: { messages: [user("ann@example.com")] }, context: { principal: "auditor" } };
    expect(contents((await moderatedBy([hook], init, pieces(["Hi"]))).below)).toEqual(["ann@example.com"]);
  });
});

describe("placeholders in an answer", () => {
  const hook = hookOf(pii([]), { restore: true });
  const request = { messages: [user("I am ann@example.com, card 4111 1111 1111 1111")] };

  it.each([true, false])(
    "become again what the caller sent, and nothing else (streamed: %s)",
    async (streaming) => {
      const text = "Hi [EMAIL_1], [CARD_1] is not [EMAIL_7] or [other]; write eve@example.org";
      const restored = "Hi ann@example.com, 4111 1111 1111 1111 is not [EMAIL_7] or [other]; write [EMAIL_2]";
      for (let at = 1; at < text.length; at += streaming ? 1 : 20) {
        const said = pieces([text.slice(0, at), text.slice(at)]);
        expect(await textOf(moderatedBy([hook], { request, streaming }, said)), String(at)).toBe(restored);
      }
    },
  );

  it("become it in what tools are called with, as JSON has it", async () => {
    const call = (text: string) => [event({ toolCall: toolCallDelta(0, { arguments: text }) })];
    const secret = { messages: [user("password: a\\bcdefg1!")] };
    const said = [call('{"p": "[PASS'), call('WORD_1]", "q": [PASSWORD_1]}'), [DONE]];
    const { events, below } = await moderatedBy(
      [hookOf(secrets([]), { restore: true })],
      { request: secret },
      said,
    );
    expect(contents(below)).toEqual(["password: [PASSWORD_1]"]);
    const args = events.map((one) => one.toolCall?.arguments ?? "").join("");
    // Where there was no string, one is made.
    expect(JSON.parse(args)).toEqual({ p: "a\\bcdefg1!", q: "a\\bcdefg1!" });
  });

  it("become it behind escapes, cut at every place, and bear what escapes stood for", async () => {
    const input = JSON.stringify({ note: "password: ab\\cdef1!\nann@example.com" });
    const part = { part: { case: "toolCall" as const, value: { id: "c1", name: "save", arguments: input } } };
    const messages = [user("Go"), { role: "assistant", parts: [part] }];
    const hooks = [pii([]), secrets([])].map((looks) => hookOf(looks, { restore: true }));
    const text = JSON.stringify({ a: 'So "[EMAIL_1]"', b: "\\[PASSWORD_1]\n" });
    for (let at = 1; at < text.length; at++) {
      const call = (said: string) => [event({ toolCall: toolCallDelta(0, { arguments: said }) })];
      const said = [call(text.slice(0, at)), call(text.slice(at)), [DONE]];
      const { events, below } = await moderatedBy(hooks, { request: { messages } }, said);
      const asked = below && chatOf(below).messages[1]?.parts[0]?.part.value;
      expect(asked).toMatchObject({ arguments: '{"note":"password: [PASSWORD_1]\\n[EMAIL_1]"}' });
      const args = events.map((one) => one.toolCall?.arguments ?? "").join("");
      expect(JSON.parse(args), `at ${at}`).toEqual({ a: 'So "ann@example.com"', b: "\\ab\\cdef1!\n" });
    }
  });

  it("stay where the hook does not put them back", async () => {
    const said = pieces(["Hi [EMAIL_1]"]);
    expect(await textOf(moderatedBy([hookOf(pii([]))], { request }, said))).toBe("Hi [EMAIL_1]");
  });
});

describe("a whole answer", () => {
  it("is looked at as one, and changed where its pieces are", async () => {
    const init = { streaming: false };
    const { events, call } = await moderatedBy(
      [hookOf(pii([]))],
      init,
      pieces(["Card 4111 1111", " 1111 ", "1111 it is"]),
    );
    expect(events.map(({ token }) => token)).toEqual(["Card [CARD_1]", "", " it is", undefined]);
    expect(call.tally.moderation).toMatchObject([{ stage: "reply", category: "card", count: 1 }]);
  });

  it("that was streamed is looked at in the end by who looks at replies alone: it can fail the call", async () => {
    const looks = blocklist(["bad"], []);
    const at = (action: "flag" | "refuse") => hookOf(looks, { action, on: new Set(["reply"]) });
    const flagged = await moderatedBy([at("flag")], {}, pieces(["All b", "ad."]));
    expect([textIn(flagged.events), flagged.call.tally.moderation]).toMatchObject([
      "All bad.",
      [{ stage: "reply", action: "flag" }],
    ]);
    const refused = await moderatedBy([at("refuse")], {}, pieces(["All b", "ad."]));
    expect(refused.events.some(({ done }) => done)).toBe(false);
    expect(refused.error).toMatchObject({ kind: "content_refused" });
  });

  it("is not looked at by who looks at streams alone, nor the other way round", async () => {
    const hook = hookOf(pii([]), { on: new Set(["stream"]) });
    expect(await textOf(moderatedBy([hook], { streaming: false }, pieces(["ann@example.com"])))).toBe(
      "ann@example.com",
    );
  });
});

describe("a hook that asks", () => {
  const asking = (ask: Asking["ask"], windowChars = 10): Asking => ({ kind: "asking", windowChars, ask });
  const answering = (verdict: Verdict) => asking(async () => verdict);
  const request = { messages: [user("Hello there")] };

  it("is asked about all texts at once, and what it says is done", async () => {
    const asked: (readonly string[])[] = [];
    const hook = hookOf(
      asking(async (texts) => {
        asked.push(texts);
        return { said: texts.map((_, text) => ({ text, start: 0, end: 5, category: "greeting" })) };
      }),
    );
    const { below, events } = await moderatedBy(
      [hook],
      { request, streaming: false },
      pieces(["Hello", " you"]),
    );
    expect(contents(below)).toEqual(["[GREETING_1] there"]);
    expect(textIn(events)).toBe("[GREETING_1] you");
    expect(asked).toEqual([["Hello there"], ["Hello you"]]);
  });

  it("is asked about a stream in windows, before any of each is given", async () => {
    const asked: string[] = [];
    const hook = hookOf(
      asking(async (texts, { stage }) => {
        if (stage === "stream") asked.push(texts.join());
        return { said: texts[0]?.includes("bad") ? [{ text: 0, start: 0, end: 0, category: "bad" }] : [] };
      }),
      { action: "refuse" },
    );
    const { events, error } = await moderatedBy([hook], {}, pieces(["good ", "words ", "and ", "bad ones"]));
    expect(asked).toEqual(["good words ", "and bad ones"]);
    expect(textIn(events)).toBe("good words ");
    expect(error).toMatchObject({ kind: "content_refused" });
  });

  it("can make less of it than the configuration, and not more", async () => {
    const said = [{ text: 0, start: 0, end: 0, category: "x" }];
    const mild = hookOf(answering({ said, action: "flag" }), { action: "refuse", on: new Set(["request"]) });
    expect((await moderatedBy([mild], { request }, pieces(["Hi"]))).call.tally.moderation).toMatchObject([
      { action: "flag" },
    ]);
    const harsh = hookOf(answering({ said, action: "refuse" }), { action: "flag" });
    expect((await moderatedBy([harsh], { request }, pieces(["Hi"]))).error).toBeUndefined();
  });

  test.each([
    [true, "skipped"],
    [false, "refuse"],
  ])("that is slow is waited for no longer than its timeout (open: %s)", async (failOpen, action) => {
    const clock = new VirtualClock();
    let isAborted = false;
    const slow = asking(
      (_, { signal }) =>
        new Promise(() =>
          signal.addEventListener("abort", () => {
            isAborted = true;
          }),
        ),
    );
    const hook = hookOf(slow, { failOpen, timeoutMs: 300, on: new Set(["request"]) });
    let ended = false;
    const moderated = moderatedBy([hook], { request }, pieces(["Hi"]), clock).finally(() => {
      ended = true;
    });
    await clock.advance(299);
    expect(ended).toBe(false);
    await clock.advance(1);
    await settled();
    const { error, below, call, counted } = await moderated;
    expect(isAborted).toBe(true);
    expect(clock.pending).toBe(0);
    expect(counted).toEqual([`hook ${action} request`]);
    if (failOpen) {
      expect(below).toBeDefined();
      expect(call.tally.moderation).toMatchObject([{ action: "skipped", category: "timeout", count: 1 }]);
    } else {
      expect(below).toBeUndefined();
      expect(error).toMatchObject({ kind: "moderation_unavailable" });
      expect(String(error)).toContain("did not answer within 300 ms");
    }
  });

  it("that fails is skipped or ends the call, also in a stream", async () => {
    const failing = asking(async () => {
      throw new Error("it is down");
    });
    const at = (failOpen: boolean) => hookOf(failing, { failOpen, on: new Set(["stream"]) });
    const open = await moderatedBy([at(true)], {}, pieces(["twelve chars"]));
    expect([textIn(open.events), open.call.tally.moderation]).toMatchObject([
      "twelve chars",
      [{ stage: "stream", action: "skipped", category: "failed" }],
    ]);
    const closed = await moderatedBy([at(false)], {}, pieces(["twelve chars"]));
    expect([textIn(closed.events), closed.error]).toMatchObject(["", { kind: "moderation_unavailable" }]);
  });

  it("is waited for no longer than the call is, and what ended that is told", async () => {
    const controller = new AbortController();
    const hook = hookOf(
      asking(() => new Promise(() => {})),
      { failOpen: true },
    );
    const moderated = moderatedBy([hook], { request, signal: controller.signal }, []);
    await settled();
    controller.abort(new Failure("cancelled", "the caller left"));
    expect((await moderated).error).toMatchObject({ kind: "cancelled" });
  });
});
