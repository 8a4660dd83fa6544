/**
 * Asks a provider's moderation endpoint, as OpenAI has it. It is no attempt at answering, and costs nothing; it knows the
 * endpoint's form, and not whose it is.
 */

import type { Transport } from "../wire/transport.ts";
import { isFields, parseAnswer } from "./answer.ts";
import type { Asking, Said } from "./hook.ts";

export interface ModerationEndpoint {
  readonly transport: Transport;
  /** With the base URL's own, and its query. */
  readonly path: string;
  /** The key's among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
  /** Of the provider's; empty for all that it flags. */
  readonly categories: readonly string[];
  readonly windowChars: number;
}

const MAX_REPLY_BYTES = 4 * 1024 * 1024;

export function providerModeration(endpoint: ModerationEndpoint): Asking {
  const { transport, path, headers, model, categories, windowChars } = endpoint;
  return {
    kind: "asking",
    windowChars,
    async ask(texts, { signal }) {
      const body = JSON.stringify({ model, input: texts });
      const reply = await transport.post(
        path,
        { ...headers, "content-type": "application/json" },
        body,
        signal,
      );
      const text = await reply.text(MAX_REPLY_BYTES);
      if (reply.status !== 200) throw new Error(`the moderation endpoint answered ${reply.status}`);
      return { said: saidIn(parseAnswer(text), texts, categories) };
    },
  };
}

function saidIn(reply: unknown, texts: readonly string[], wanted: readonly string[]): Said[] {
  const results = isFields(reply) ? reply.results : undefined;
  if (!Array.isArray(results) || results.length !== texts.length)
    throw new Error("the moderation endpoint's answer has not one result for each text");
  return results.flatMap((result: unknown, text) => {
    if (!isFields(result) || typeof result.flagged !== "boolean")
      throw new Error("the moderation endpoint's answer does not say what is flagged");
    const named = Object.entries(isFields(result.categories) ? result.categories : {});
    const found = named.flatMap(([category, is]) => (is === true ? [category] : []));
    const counted = wanted.length > 0 ? found.filter((category) => wanted.includes(category)) : found;
    if (wanted.length === 0 && result.flagged && found.length === 0) counted.push("flagged");
    if (wanted.length === 0 && !result.flagged) return [];
    return counted.map((category) => ({ text, start: 0, end: 0, category }));
  });
}
