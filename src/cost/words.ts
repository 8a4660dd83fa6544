/** The words of a conversation: no tokenizer joins several into one token, so that it has as many tokens at the least. */
import type { Message } from "../../gen/ts/llmgateway/v1/message_pb.ts";

/** Whether it has more than so many. */
export function hasMoreWords(messages: readonly Message[], most: number): boolean {
  // A word has a letter and a space, so that short texts need no counting.
  return lengthOf(messages) >= 2 * most && wordsIn(messages, most) > most;
}

/** How many it has, counted no further than to one more than `most`. */
export function wordsIn(messages: readonly Message[], most = Number.POSITIVE_INFINITY): number {
  let words = 0;
  for (const { content, parts } of messages) {
    words += wordsOf(content, most - words);
    for (const { part } of parts) if (part.case === "text") words += wordsOf(part.value, most - words);
    if (words > most) break;
  }
  return words;
}

function lengthOf(messages: readonly Message[]): number {
  let length = 0;
  for (const { content, parts } of messages) {
    length += content.length;
    for (const { part } of parts) if (part.case === "text") length += part.value.length;
  }
  return length;
}

/** No further than to one word more than `most`. */
function wordsOf(text: string, most: number): number {
  let words = 0;
  let isApart = true;
  for (let at = 0; at < text.length && words <= most; at++) {
    const code = text.charCodeAt(at);
    const isSpace = code === 32 || (code >= 9 && code <= 13);
    if (isApart && !isSpace) words++;
    isApart = isSpace;
  }
  return words;
}
