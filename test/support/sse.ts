/** Server-sent events as a browser would see them, comments included. */
import { createParser } from "eventsource-parser";

/** An event, or a comment between two of them. */
export type Sse =
  | { readonly data: string; readonly event: string; readonly comment?: undefined }
  | { readonly comment: string; readonly data?: undefined; readonly event?: undefined };

export async function* readEvents(pieces: AsyncIterable<string>): AsyncGenerator<Sse> {
  const seen: Sse[] = [];
  const parser = createParser({
    onEvent: ({ event = "message", data }) => seen.push({ event, data }),
    onComment: (comment) => seen.push({ comment }),
    onError: (error) => {
      throw error;
    },
  });
  for await (const piece of pieces) {
    parser.feed(piece);
    yield* seen.splice(0);
  }
}
