/** The compiled writer against the library's own JSON, for whatever the contract's messages can hold. */
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import fc from "fast-check";
import { expect, test } from "vitest";
import { file_llmgateway_v1_chat } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { EmbeddingSchema, file_llmgateway_v1_embed } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import { file_llmgateway_v1_gateway } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { file_llmgateway_v1_message } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { file_llmgateway_v1_receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { JSON_OPTIONS } from "../../src/core/json.ts";
import { jsonWriter } from "../../src/rpc/json/write.ts";

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

/** Any message of a type, nested as deep as that. */
function messageOf(schema: DescMessage, depth: number): fc.Arbitrary<Message> {
  const fields = schema.fields.filter((field) => depth > 0 || !field.message);
  const wellKnown = schema.typeName.startsWith("google.protobuf.");
  const values = wellKnown
    ? []
    : fields.map((field) => fc.option(arbitraryOf(field, depth), { nil: undefined }));
  return fc.tuple(...values).map((given) => {
    const message = reflect(schema, create(schema));
    for (const [index, value] of given.entries()) {
      const field = fields[index];
      if (!field || value === undefined) continue;
      if (field.fieldKind === "list") for (const item of value as []) message.get(field).add(item);
      else if (field.fieldKind === "map") {
        for (const [key, item] of Object.entries(value as object)) message.get(field).set(key, item);
      } else message.set(field, value);
    }
    return message.message;
  });
}

function arbitraryOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  const one = field.message
    ? reflected(field.message, depth - 1)
    : scalarOf(field.scalar ?? ScalarType.STRING);
  if (field.fieldKind === "list") return fc.array(one, { maxLength: 3 });
  if (field.fieldKind === "map")
    return fc.dictionary(fc.string(), one, { maxKeys: 3, noNullPrototype: true });
  return one;
}

function reflected(schema: DescMessage, depth: number): fc.Arbitrary<unknown> {
  return messageOf(schema, depth).map((message) => reflect(schema, message));
}

function scalarOf(scalar: ScalarType): fc.Arbitrary<unknown> {
  switch (scalar) {
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array();
    case ScalarType.DOUBLE:
      return fc.double();
    case ScalarType.FLOAT:
      return fc.float();
    case ScalarType.INT64:
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case ScalarType.INT32:
      return fc.integer();
    default:
      return fc.string({ unit: "binary" }).filter((text) => text.isWellFormed());
  }
}
