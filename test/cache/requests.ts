/** Requests of every shape that the contract knows, read off its messages, so that a field that is new is among them. */
import { create, type DescField, type DescMessage, type JsonObject, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";

type Fields = Readonly<Record<string, unknown>>;

/** What an answer cannot hang on. */
export const BESIDE: readonly string[] = [
  ...["model", "model_version", "prefer_low_cost", "routing_policy", "task_type"],
  ...["stream", "max_cost_usd", "timeout_ms", "metadata", "session_id", "resilience", "fallback_chain"],
  ...["cache", "cache_ttl_seconds", "sensitive", "idempotency_key"],
  // What a template says, and which variant it is, stands in the request by then.
  ...["template", "variables", "template_version", "experiment"],
];
/** Marks for the provider's cache, what keeps a request out of ours, and the other spellings of a schema. */
const OTHERWISE = new Set([
  ...["Message.cache", "Part.cache", "Tool.cache", "Tool.has_effects"],
  ...["Tool.parameters_json", "ResponseFormat.schema_json"],
]);
/** With everything that could be taken for what stands around a text. */
const TEXTS = ["a", "b", 'a","b', "[]", "\u00e9", "a\nb", "  a", "null", "user", "a\\", "```\r\nx \n"];
const JSON_TEXTS = ["", '{"a":1}', '{"a":[1,2]}', '"a"', "1", "no JSON", '{"a":1', "[1]"];
const JSON_FIELDS = ["arguments", "provider_json", "json"];

export const json: fc.Arbitrary<JsonObject> = fc.dictionary(
  fc.constantFrom("a", "b", "é", "10", "9", "__proto__"),
  fc.letrec<{ value: never }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(0, 1, -1.5, 1e21, 1e-7, true, null, "", "a", "1"),
      fc.array(tie("value"), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom("b", "a", "2", "1"), tie("value"), { maxKeys: 3 }),
    ) as never,
  })).value,
  { minKeys: 1, maxKeys: 3 },
) as fc.Arbitrary<JsonObject>;

/** In one spelling: what differs as JSON is another request. */
export const requests: fc.Arbitrary<ChatRequest> = fieldsOf(ChatRequestSchema)
  .map((fields) => {
    const { messages = [], ...rest } = fields as { messages?: Fields[] };
    return create(ChatRequestSchema, { ...rest, messages: messages.map(oneSpelling) } as never);
  })
  .filter(({ messages }) => messages.length > 0);

/** A lone text is the content; all else are parts. */
function oneSpelling({ content, parts = [], ...rest }: { content?: string; parts?: Fields[] }): Fields {
  const pieces = [
    ...(content ? [{ part: { case: "text", value: content } }] : []),
    ...parts,
  ] as unknown as readonly {
    readonly part: { readonly case: string; readonly value: unknown };
  }[];
  const [first] = pieces;
  return pieces.length === 1 && first?.part.case === "text"
    ? { ...rest, content: first.part.value }
    : { ...rest, parts: pieces };
}

function fieldsOf(desc: DescMessage): fc.Arbitrary<Fields> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of desc.fields) {
    if (isSaid(desc, field) && !field.oneof) model[field.localName] = absentOr(valuesOf(field));
  }
  for (const oneof of desc.oneofs.filter(({ fields }) => fields.length > 1)) {
    const said = oneof.fields.filter((field) => isSaid(desc, field));
    model[oneof.localName] = fc.oneof(
      ...said.map((field) => valuesOf(field).map((value) => ({ case: field.localName, value }))),
    );
  }
  return fc
    .record(model, { noNullPrototype: true })
    .map((fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)))
    .filter((fields) => desc.name === "FreeText" || Object.keys(fields).length > 0);
}

function isSaid(desc: DescMessage, { name }: DescField): boolean {
  return desc === ChatRequestSchema ? !BESIDE.includes(name) : !OTHERWISE.has(`${desc.name}.${name}`);
}

function absentOr(values: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: values });
}

function valuesOf(field: DescField): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case "list":
      return fc.array(
        field.listKind === "message" ? messagesOf(field.message) : scalars(field.name, field.scalar),
        {
          minLength: 1,
          maxLength: 3,
        },
      );
    case "message":
      return messagesOf(field.message);
    case "scalar":
      return scalars(field.name, field.scalar);
    default:
      throw new Error(`requests of no kind have a ${field.fieldKind}`);
  }
}

function messagesOf(desc: DescMessage): fc.Arbitrary<unknown> {
  return desc.typeName === "google.protobuf.Struct" ? json : fieldsOf(desc);
}

function scalars(name: string, type: ScalarType | undefined): fc.Arbitrary<unknown> {
  if (name === "role") return fc.constantFrom("system", "user", "assistant", "tool");
  if (JSON_FIELDS.includes(name)) return fc.constantFrom(...JSON_TEXTS);
  switch (type) {
    case ScalarType.STRING:
      return fc.constantFrom(...TEXTS);
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array({ minLength: 1, maxLength: 2 });
    case ScalarType.INT64:
      return fc.constantFrom(0n, 1n, 2n ** 62n, 2n ** 62n + 1n);
    case ScalarType.INT32:
      return fc.constantFrom(0, 1, 2);
    default:
      return fc.constantFrom(0, 0.5, 1);
  }
}
