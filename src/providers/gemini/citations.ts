/** Where an answer's text comes from: what the model recited, and what it found by searching. */
import type { Citation } from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import { textOf } from "../values.ts";
import type { Candidate, CitationMetadata } from "./api.ts";

/** The pieces of the text that stand elsewhere word by word. */
export function citationsOf(metadata: CitationMetadata, text: string): Citation[] {
  return (metadata.citations ?? metadata.citationSources ?? []).map((source) =>
    citation(source, { title: textOf(source.title), url: textOf(source.uri) }, place(source, text)),
  );
}

type Grounding = NonNullable<Candidate["groundingMetadata"]>;
type Chunk = NonNullable<Grounding["groundingChunks"]>[number];
type Segment = NonNullable<NonNullable<Grounding["groundingSupports"]>[number]["segment"]>;

/** One for each source of each piece of the text; for each source alone where the pieces are not told. */
export function groundingOf(metadata: Grounding, text: string): Citation[] {
  const chunks = metadata.groundingChunks ?? [];
  const supports = metadata.groundingSupports ?? [];
  if (supports.length === 0) return chunks.map((chunk) => citation({ chunk }, sourceOf(chunk), {}));
  return supports.flatMap((support) =>
    (support.groundingChunkIndices ?? []).flatMap((index) => {
      const chunk = chunks[index];
      return chunk ? citation({ chunk, support }, sourceOf(chunk), place(support.segment ?? {}, text)) : [];
    }),
  );
}

type Source = Partial<Pick<Citation, "title" | "url" | "quote">>;
type Place = Pick<Citation, "startIndex" | "endIndex">;

function citation(said: object, source: Source, where: Place): Citation {
  return {
    $typeName: "llmgateway.v1.Citation",
    title: "",
    url: "",
    quote: "",
    ...source,
    ...where,
    providerJson: JSON.stringify(said),
  };
}

function sourceOf({ web, retrievedContext, maps }: Chunk): Source {
  const { title, uri } = web ?? retrievedContext ?? maps ?? {};
  return { title: textOf(title), url: textOf(uri), quote: textOf(retrievedContext?.text) };
}

/** Google counts bytes of UTF-8, from the start of a part. A start of 0 is left out. */
function place({ startIndex, endIndex, partIndex }: Segment, text: string): Place {
  const [start, end] = [charactersIn(startIndex ?? 0, text), charactersIn(endIndex, text)];
  if (partIndex || start === undefined || end === undefined) return {};
  return { startIndex: start, endIndex: end };
}

/** Undefined for what lies beyond the text. */
function charactersIn(bytes: unknown, text: string): number | undefined {
  const length = Buffer.byteLength(text);
  if (typeof bytes !== "number" || bytes < 0 || bytes > length) return undefined;
  return length === text.length ? bytes : Buffer.from(text).subarray(0, bytes).toString().length;
}
