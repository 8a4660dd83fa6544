/** Which messages go out with the next question. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { history } from "../../../clients/console/history.ts";
import { MessageSchema } from "../../../gen/ts/llmgateway/v1/message_pb.ts";

const message = (init: MessageInitShape<typeof MessageSchema>) => create(MessageSchema, init);
const asks = (content: string) => [message({ role: "user", content })];
const says = (content: string) => message({ role: "assistant", content });
const calls = (content: string) =>
  message({
    role: "assistant",
    content,
    parts: [{ part: { case: "toolCall", value: { id: "1", name: "f", arguments: "{}" } } }],
  });
const results = [
  message({
    role: "tool",
    parts: [{ part: { case: "toolResult", value: { toolCallId: "1", content: "2" } } }],
  }),
];

test("it begins with the system prompt, when there is one", () => {
  expect(history("Be brief.", [], asks("a"))).toMatchObject([
    { role: "system", content: "Be brief." },
    { content: "a" },
  ]);
  expect(history(" ", [], asks("a"))).toEqual(asks("a"));
});

test("what failed is left out with its question", () => {
  const before = [
    { asked: asks("a"), answer: says("A") },
    { asked: asks("b"), answer: undefined },
  ];
  expect(history("", before, asks("c"))).toEqual([...asks("a"), says("A"), ...asks("c")]);
});

test("a call of a tool stays when its result follows, at the end or before it", () => {
  const called = { asked: asks("a"), answer: calls("") };
  expect(history("", [called], results)).toEqual([...asks("a"), calls(""), ...results]);
  const before = [called, { asked: results, answer: says("A") }];
  expect(history("", before, asks("b"))).toEqual([
    ...asks("a"),
    calls(""),
    ...results,
    says("A"),
    ...asks("b"),
  ]);
});

test("a call without its result is left out, and the words beside it stay", () => {
  expect(history("", [{ asked: asks("a"), answer: calls("Let me see.") }], asks("b"))).toEqual([
    ...asks("a"),
    says("Let me see."),
    ...asks("b"),
  ]);
  expect(history("", [{ asked: asks("a"), answer: calls("") }], asks("b"))).toEqual(asks("b"));
});
