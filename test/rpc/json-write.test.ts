/** The compiled writer against the library's own JSON, for whatever the contract's messages can hold. */
import { create, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { file_llmgateway_v1_chat } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { EmbeddingSchema, file_llmgateway_v1_embed } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import { file_llmgateway_v1_gateway } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { file_llmgateway_v1_message } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { file_llmgateway_v1_receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { JSON_OPTIONS } from "../../src/core/json.ts";
import { jsonWriter } from "../../src/rpc/json/write.ts";
import { messageOf } from "../support/messages.ts";

const MESSAGES = [
  file_llmgateway_v1_chat,
  file_llmgateway_v1_embed,
  file_llmgateway_v1_gateway,
  file_llmgateway_v1_message,
  file_llmgateway_v1_receipt,
].flatMap((file) => file.messages);

test.each(MESSAGES.map((schema) => [schema.typeName, schema] as const))("%s", (_, schema) => {
  fc.assert(
    fc.property(messageOf(schema, 2), (message) => {
      expect(jsonWriter(schema)(message)).toBe(JSON.stringify(toJson(schema, message, JSON_OPTIONS)));
    }),
    { numRuns: 40 },
  );
});

test.each([[[]], [[0.1, -0, 1e-7, 1e21, -3.4e38]], [[0.5, Number.NaN, -Infinity]]])(
  "a vector of %j",
  (values) => {
    const message = create(EmbeddingSchema, { index: 1, values });
    expect(jsonWriter(EmbeddingSchema)(message)).toBe(
      JSON.stringify(toJson(EmbeddingSchema, message, JSON_OPTIONS)),
    );
  },
);
