/** Which of its validation rules a message breaks. How that is told is for others. */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { patternWords } from "./pattern-words.ts";
import { plainlyValid } from "./plainly-valid.ts";

/** Keeps the rules that it has compiled. */
const validator = createValidator();

/** None where it keeps them all. */
export function brokenRules(schema: DescMessage, message: Message): readonly Violation[] {
  if (plainlyValid(schema)(message)) return [];
  const result = validator.validate(schema, message);
  if (result.kind === "error") throw result.error;
  for (const violation of result.violations ?? []) violation.message = inWords(violation.message);
  return result.violations ?? [];
}

/** What is said of a regular expression is that it is not matched. */
function inWords(message: string): string {
  const [, pattern] = /^does not match regex pattern `(.*)`$/s.exec(message) ?? [];
  return (pattern !== undefined && patternWords(pattern)) || message;
}
