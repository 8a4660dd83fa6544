import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { EmbedRequestSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import { demandOf } from "../../src/cost/demand.ts";
import { estimateInputTokens } from "../../src/cost/tokens.ts";

it("a chat wants one answer of any length, when it says nothing else", () => {
  const request = create(ChatRequestSchema, { messages: [{ role: "user", content: "Hello" }] });
  const inputTokens = estimateInputTokens(request);
  expect(demandOf(request)).toEqual({ inputTokens, answers: 1, maxTokens: undefined });
});

it("a chat says how many answers it wants, and how long", () => {
  const request = create(ChatRequestSchema, { parameters: { choices: 3, maxTokens: 10 } });
  expect(demandOf(request)).toMatchObject({ answers: 3, maxTokens: 10 });
});

it("embeddings are read, and nothing is written", () => {
  const request = create(EmbedRequestSchema, { input: ["12345", "1234"] });
  expect(demandOf(request)).toEqual({ inputTokens: 3, answers: 0, maxTokens: undefined });
});
