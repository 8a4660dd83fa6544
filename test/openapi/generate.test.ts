/** The OpenAPI document is not made from what it cannot say in full. */
import { describe, expect, test } from "vitest";
import { HttpRuleSchema } from "../../gen/ts/google/api/http_pb.ts";
import { ChatRequestSchema, ChatResponseSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { MediaSchema, MessageSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { failureResponses, KINDS } from "../../ops/generate/openapi/failures.mts";
import { messageSchemas } from "../../ops/generate/openapi/schemas.mts";
import { openapi } from "../../ops/generate/openapi.mts";

const additions = { Media: {}, Tool: {}, ResponseFormat: {} };

describe("a schema", () => {
  test("needs words of its own for rules in CEL", () => {
    expect(() => messageSchemas({}, {}, [MediaSchema], [])).toThrow(
      "llmgateway.v1.Media has rules in CEL: say them as JSON schema in openapi.base.yaml",
    );
    expect(messageSchemas({}, additions, [MediaSchema], []).schemas).toHaveProperty("Media");
    expect(() => messageSchemas({}, {}, [], [MediaSchema])).not.toThrow();
  });

  test("is another one for a reply than for a request, where a message is both", () => {
    const { schemas, ref } = messageSchemas({}, additions, [ChatRequestSchema], [ChatResponseSchema]);
    expect(ref(MessageSchema, "request")).toEqual({ $ref: "#/components/schemas/Message" });
    expect(ref(MessageSchema, "reply")).toEqual({ $ref: "#/components/schemas/MessageReply" });
    expect(schemas.Message).toMatchObject({ required: ["role"], additionalProperties: false });
    expect(schemas.MessageReply).toMatchObject({ required: ["role", "content", "parts", "name"] });
    expect(schemas).not.toHaveProperty("ChatResponseReply");
  });

  test("lets a oneof be unset, unless a rule forbids it", () => {
    const { schemas } = messageSchemas({}, additions, [HttpRuleSchema, MediaSchema], []);
    expect(schemas.HttpRule?.oneOf?.map(({ title }) => title)).toContain("none");
    expect(schemas.Media?.oneOf?.map(({ title }) => title)).toEqual(["url", "data", "file_id"]);
  });

  test("says what a comment says, without what is for those who write the proto", () => {
    const description =
      "A\n thing.\n\n Field numbers are free.\nmedia.type // type is required\ndouble.finite = true";
    const { schemas } = messageSchemas(
      { "llmgateway.v1.Media": { description } },
      additions,
      [MediaSchema],
      [],
    );
    expect(schemas.Media?.description).toBe("A thing.\n\ntype is required.");
  });
});

test("a failure needs words in docs/errors.md", () => {
  const rows = KINDS.map((kind) => `| \`${kind}\` | Bad. | | | | | – | – |`);
  expect(failureResponses(rows.join("\n")).Error401).toMatchObject({
    description: "- `unauthenticated`: Bad.",
  });
  expect(() => failureResponses(rows.slice(1).join("\n"))).toThrow(
    "docs/errors.md does not say what invalid_request is",
  );
});

test("an operation needs an RPC", () => {
  const paths = { "/x": { get: { operationId: "Nobody_Nothing" } } };
  const empty = { info: {}, tags: [], components: { schemas: {} } };
  const rows = KINDS.map((kind) => `| \`${kind}\` | Bad. | | | | | – | – |`).join("\n");
  expect(() => openapi([], { ...empty, paths }, { ...empty, paths: {} }, rows)).toThrow(
    "Nobody_Nothing is none of the contract's RPCs",
  );
});
