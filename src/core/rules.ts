/** Which of its validation rules a message breaks. How that is told is for others. */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { plainlyValid } from "./plainly-valid.ts";

/** Keeps the rules that it has compiled. */
const validator = createValidator();

/** None where it keeps them all. */
export function brokenRules(schema: DescMessage, message: Message): readonly Violation[] {
  if (plainlyValid(schema)(message)) return [];
  const result = validator.validate(schema, message);
  if (result.kind === "error") throw result.error;
  return result.violations ?? [];
}
