/** Messages of the contract at random, with whatever their types can hold. */
import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import fc from "fast-check";

type ScalarArbitrary = (type: ScalarType) => fc.Arbitrary<unknown>;

/** Any message of a type, nested as deep as that. */
export function messageOf(
  schema: DescMessage,
  depth: number,
  scalar: ScalarArbitrary = scalarOf,
): fc.Arbitrary<Message> {
  const fields = schema.fields.filter((field) => depth > 0 || !field.message);
  const wellKnown = schema.typeName.startsWith("google.protobuf.");
  const values = wellKnown
    ? []
    : fields.map((field) => fc.option(arbitraryOf(field, depth, scalar), { nil: undefined }));
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

function arbitraryOf(field: DescField, depth: number, scalar: ScalarArbitrary): fc.Arbitrary<unknown> {
  const one = field.message
    ? reflected(field.message, depth - 1, scalar)
    : scalar(field.scalar ?? ScalarType.STRING);
  if (field.fieldKind === "list") return fc.array(one, { maxLength: 3 });
  if (field.fieldKind === "map")
    return fc.dictionary(fc.string(), one, { maxKeys: 3, noNullPrototype: true });
  return one;
}

function reflected(schema: DescMessage, depth: number, scalar: ScalarArbitrary): fc.Arbitrary<unknown> {
  return messageOf(schema, depth, scalar).map((message) => reflect(schema, message));
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
