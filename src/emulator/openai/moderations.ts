/** OpenAI's moderations: a text is flagged by the words in it, so that a test knows what it will be. */
import { Refusal } from "./errors.ts";

/** Words that stand for each category. */
const WORDS: Readonly<Record<string, RegExp>> = {
  harassment: /\bidiot\b/i,
  hate: /\bhate\b/i,
  "self-harm": /\bhurt myself\b/i,
  violence: /\bkill\b/i,
};

/** Throws Refusal where there is no input. */
export function encodeModeration(body: Readonly<Record<string, unknown>>, id: string): string {
  const { input, model = "omni-moderation-latest" } = body;
  const texts = typeof input === "string" ? [input] : input;
  if (!Array.isArray(texts) || texts.length === 0 || texts.some((text) => typeof text !== "string"))
    throw new Refusal(400, "Missing required parameter: 'input'.", "missing_required_parameter", "input");
  return JSON.stringify({ id: `modr-${id}`, model, results: texts.map(resultOf) });
}

function resultOf(text: string) {
  const categories = Object.fromEntries(
    Object.entries(WORDS).map(([name, words]) => [name, words.test(text)]),
  );
  const scores = Object.entries(categories).map(([name, is]) => [name, is ? 0.98 : 0.0001]);
  return {
    flagged: Object.values(categories).includes(true),
    categories,
    category_scores: Object.fromEntries(scores),
  };
}
