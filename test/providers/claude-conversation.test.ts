import { describe, expect, test } from "vitest";
import {
  assistant,
  call,
  encode,
  hello,
  message,
  type PartInit,
  piece,
  result,
  text,
  thought,
  wire,
} from "./claude-wire.ts";

describe("turns", () => {
  test("of one role become one, with what tools answered as the user's", () => {
    const { messages } = encode({
      messages: [
        { role: "user", content: "One" },
        { role: "user", content: "Two", name: "ann" },
        message("assistant", call({ id: "a", name: "look" })),
        message("assistant", text("Moment.")),
        message("tool", result({ toolCallId: "a", content: "Sun" })),
        message("tool", result({ toolCallId: "b", isError: true })),
        { role: "user", content: "And?" },
      ],
    });
    expect(messages).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "One" },
          { type: "text", text: "Two" },
        ],
      },
      {
        role: "assistant",
        content: [
          { type: "tool_use", id: "a", name: "look", input: {} },
          { type: "text", text: "Moment." },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "a", content: "Sun" },
          { type: "tool_result", tool_use_id: "b", is_error: true },
          { type: "text", text: "And?" },
        ],
      },
    ]);
  });

  test("have the ids of other providers' calls in a form that is taken", () => {
    const { messages } = encode({
      messages: [
        ...hello,
        message("assistant", call({ id: "functions.look:0", name: "look" }), call({ id: "b", name: "look" })),
        message("tool", result({ toolCallId: "functions.look:0" }), result({ toolCallId: "b" })),
      ],
    });
    const [, { content: calls }, { content: results }] = messages;
    const ids = calls.map(({ id }: { id: string }) => id);
    expect(ids).toEqual([expect.stringMatching(/^call_[0-9a-f]{32}$/), "b"]);
    expect(results.map(({ tool_use_id }: { tool_use_id: string }) => tool_use_id)).toEqual(ids);
  });

  test("leave out texts of white space alone, which are refused", () => {
    const { system, messages } = encode({
      messages: [
        { role: "system", content: " " },
        message("user", text(" \n"), text("Look")),
        { ...message("assistant", call({ id: "a", name: "look" })), content: "\n\n" },
        message("tool", result({ toolCallId: "a", content: "Sun" })),
      ],
    });
    expect(system).toBeUndefined();
    expect(messages).toEqual([
      { role: "user", content: "Look" },
      { role: "assistant", content: [{ type: "tool_use", id: "a", name: "look", input: {} }] },
      { role: "user", content: [{ type: "tool_result", tool_use_id: "a", content: "Sun" }] },
    ]);
  });

  test("have their instructions at the top, wherever these stand", () => {
    const { system, messages } = encode({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hello" },
        { role: "developer", content: "Be kind." },
        { role: "user", content: "Bye" },
      ],
    });
    expect(system).toEqual([
      { type: "text", text: "Be brief." },
      { type: "text", text: "Be kind." },
    ]);
    expect(messages).toHaveLength(1);
    expect(encode({ messages: [{ role: "system", content: "Be brief." }, ...hello] }).system).toBe(
      "Be brief.",
    );
  });

  test("in which nothing is left are left out", () => {
    const { messages } = encode({
      messages: [...hello, { role: "assistant" }, { role: "user", content: "Are you there?" }],
    });
    expect(messages).toHaveLength(1);
    expect(messages[0].content).toHaveLength(2);
  });
});

describe("what the assistant said", () => {
  test("keeps its order, with thoughts before the content", () => {
    const { messages } = encode({
      messages: [
        ...hello,
        {
          role: "assistant",
          content: "So.",
          parts: [
            { part: thought({ text: "Hm.", signature: "one" }) },
            { part: thought({ redacted: "xyz" }) },
            { part: call({ id: "a", name: "look", arguments: '{"x":1}' }) },
            { part: thought({ text: "", signature: "two" }) },
            { part: text("Then.") },
          ],
        },
      ],
    });
    expect(messages[1].content).toEqual([
      { type: "thinking", thinking: "Hm.", signature: "one" },
      { type: "redacted_thinking", data: "xyz" },
      { type: "text", text: "So." },
      { type: "tool_use", id: "a", name: "look", input: { x: 1 } },
      { type: "thinking", thinking: "", signature: "two" },
      { type: "text", text: "Then." },
    ]);
  });

  test("is without what only others understand", () => {
    const other = { case: "citation", value: { providerJson: '{"type":"url_citation"}' } } as const;
    expect(assistant(thought({ text: "Hm." }), text("Yes."), other, piece("{}", "gemini"))).toBe("Yes.");
  });

  test("has refusals as text", () => {
    expect(assistant({ case: "refusal", value: "No." })).toBe("No.");
  });

  test("has Anthropic's own pieces as they came, to the byte", () => {
    const json = '{ "type":"server_tool_use", "input": {"2":1.0,"1":[]} , "id":"s" }';
    const { body } = wire({ messages: [...hello, message("assistant", text("a"), piece(` ${json}\n`))] });
    expect(body).toContain(`,${json}]`);
  });

  test("has citations at the text that they are about", () => {
    const cite = (type: string, startIndex?: number) =>
      ({
        case: "citation",
        value: {
          providerJson: JSON.stringify({ type: `${type}_location` }),
          ...(startIndex === undefined ? {} : { startIndex }),
        },
      }) as PartInit;
    const cited = [{ type: "char_location" }, { type: "page_location" }];
    expect(assistant(text("Known. Cited."), cite("char", 7), cite("page", 7), text(" More."))).toEqual([
      { type: "text", text: "Known. " },
      { type: "text", text: "Cited.", citations: cited },
      { type: "text", text: " More." },
    ]);
    for (const start of [undefined, 0, 99])
      expect(assistant(text("Cited."), cite("char", start))).toEqual([
        { type: "text", text: "Cited.", citations: [{ type: "char_location" }] },
      ]);
    expect(assistant(call({ id: "a", name: "b" }), cite("char"))).toHaveLength(1);
  });
});
