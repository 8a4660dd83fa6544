/** Where an answer comes from, as models that search say it beside their text. */
import type { ChatCompletionMessage } from "openai/resources/chat/completions";
import type { Citation } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import { fieldsOf, wordsOf } from "../error_body.ts";
import { count } from "../values.ts";

/** OpenRouter quotes the source beside OpenAI's fields. */
type Annotated = Partial<ChatCompletionMessage.Annotation.URLCitation> & { readonly content?: unknown };

/** Undefined for an annotation of another type. Nothing in it fails, for the answer stands without it. */
export function citationOf(annotation: unknown): Citation | undefined {
  const { url_citation: cited } = fieldsOf(annotation);
  if (!cited) return undefined;
  const { title, url, content, start_index, end_index }: Annotated = fieldsOf(cited);
  const [startIndex, endIndex] = [count(start_index), count(end_index)];
  return {
    $typeName: "llmgateway.v1.Citation",
    title: wordsOf(title),
    url: wordsOf(url),
    quote: wordsOf(content),
    ...(startIndex !== undefined && endIndex !== undefined && { startIndex, endIndex }),
    providerJson: JSON.stringify(annotation),
  };
}
