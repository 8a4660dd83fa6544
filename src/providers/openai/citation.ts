/** Where an answer comes from, as models that search say it beside their text. */
import type { ChatCompletionMessage } from "openai/resources/chat/completions";
import type { Citation } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import { type Fields, fieldsOf, wordsOf } from "../error_body.ts";
import { count } from "../values.ts";

/** Where Perplexity and xAI list them: beside the choices. In a stream each list replaces the one before. */
export interface SourceLists {
  readonly search_results?: unknown;
  /** Addresses, in the same order. */
  readonly citations?: unknown;
}

/** Those of the fuller list. Which piece of the text they are about, numbers in it say. */
export function sourcesOf({ search_results, citations }: SourceLists): Citation[] {
  const found = Array.isArray(search_results) ? search_results : [];
  const listed = found.length > 0 || !Array.isArray(citations) ? found : citations;
  return listed.flatMap((source: unknown) => {
    const { title, url, snippet }: Fields = typeof source === "string" ? { url: source } : fieldsOf(source);
    if (!wordsOf(url)) return [];
    const providerJson = JSON.stringify(source);
    return [{ ...CITATION, title: wordsOf(title), url: wordsOf(url), quote: wordsOf(snippet), providerJson }];
  });
}

const CITATION = { $typeName: "llmgateway.v1.Citation" } as const;

/** OpenRouter quotes the source beside OpenAI's fields. */
type Annotated = Partial<ChatCompletionMessage.Annotation.URLCitation> & { readonly content?: unknown };

/** Undefined for an annotation of another type. Nothing in it fails, for the answer stands without it. */
export function citationOf(annotation: unknown): Citation | undefined {
  const { url_citation: cited } = fieldsOf(annotation);
  if (!cited) return undefined;
  const { title, url, content, start_index, end_index }: Annotated = fieldsOf(cited);
  const [startIndex, endIndex] = [count(start_index), count(end_index)];
  return {
    ...CITATION,
    title: wordsOf(title),
    url: wordsOf(url),
    quote: wordsOf(content),
    ...(startIndex !== undefined && endIndex !== undefined && { startIndex, endIndex }),
    providerJson: JSON.stringify(annotation),
  };
}
