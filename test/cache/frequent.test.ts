/** Which requests are remembered, and which give way. */

import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { Frequent } from "../../src/cache/frequent.ts";

const SCOPE = { tenant: "red", cacheScope: "eu", family: "openai/gpt-4o" };

function chat(content: string) {
  return create(ChatRequestSchema, { messages: [{ role: "user", content }], model: "openai/gpt-4o" });
}

const contents = (frequent: Frequent, count = 10) =>
  frequent.most(count, () => true).map(({ request }) => request.messages[0]?.content);

test("the most frequent come first, with who asked", () => {
  const frequent = new Frequent(10);
  for (const content of ["a", "b", "c", "b", "c", "c"]) frequent.count(chat(content), SCOPE, {});
  frequent.count(chat("c"), { ...SCOPE, tenant: "blue" }, {});
  expect(contents(frequent, 2)).toEqual(["c", "b"]);
  expect(frequent.most(1, () => true)).toEqual([{ request: chat("c"), tenant: "red", cacheScope: "eu" }]);
  expect(frequent.most(5, ({ tenant }) => tenant === "blue")).toHaveLength(1);
  expect(frequent.size).toBe(4);
});

test("what was not asked for longest gives way, to the number and to the bytes", () => {
  const frequent = new Frequent(2);
  for (const content of ["a", "b", "a", "c"]) frequent.count(chat(content), SCOPE, {});
  expect(contents(frequent).sort()).toEqual(["a", "c"]);
  frequent.bound(1);
  expect(contents(frequent)).toEqual(["c"]);
  frequent.bound(0);
  expect(frequent.size).toBe(0);
  expect(frequent.isWanted).toBe(false);

  frequent.bound(100);
  const large = "x".repeat(20_000_000);
  for (const content of ["1", "2", "3", "4"]) frequent.count(chat(content + large), SCOPE, {});
  expect(contents(frequent).map((content) => content?.[0])).toEqual(["2", "3", "4"]);
  frequent.count(chat("5".repeat(70_000_000)), SCOPE, {});
  expect(frequent.size).toBe(3);
});

test("those are forgotten for which all holds that was said", () => {
  const frequent = new Frequent(10);
  frequent.count(chat("a"), SCOPE, { team: "search" });
  frequent.count(chat("b"), SCOPE, { team: "ads" });
  frequent.count(chat("c"), { ...SCOPE, family: "fast" }, { team: "search" });
  expect(frequent.forget({ tenant: "blue" })).toBe(0);
  expect(frequent.forget({ family: "fast", tag: { key: "team", value: "ads" } })).toBe(0);
  expect(frequent.forget({ tenant: "red", tag: { key: "team", value: "search" } })).toBe(2);
  expect(contents(frequent)).toEqual(["b"]);
  expect(frequent.forget({})).toBe(1);
});
