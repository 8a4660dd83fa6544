/** OpenAI's own client for the calls that are no chat: seldom, and cold. It proves nothing by itself. */
import type { OpenAI } from "openai";
import type { Credentials } from "../credentials.ts";

/** Where and how a provider that speaks like OpenAI is called. */
export interface Access {
  readonly baseUrl: string;
  /** Without the `?`; empty for none. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
}

/** The client, loaded when it is asked for first: it is a tenth of all that a start would load. */
export function coldClient(access: Access, timeoutMs: number): () => Promise<OpenAI> {
  let client: Promise<OpenAI> | undefined;
  return () => {
    client ??= create(access, timeoutMs);
    return client;
  };
}

async function create({ baseUrl, query, headers }: Access, timeoutMs: number): Promise<OpenAI> {
  const { OpenAI } = await import("openai");
  return new OpenAI({
    baseURL: baseUrl,
    // The headers bear the key, by whichever name this provider wants it.
    apiKey: "unused",
    defaultHeaders: { authorization: null, ...headers },
    defaultQuery: Object.fromEntries(new URLSearchParams(query)),
    timeout: timeoutMs,
    maxRetries: 0,
  });
}

/** What the provider answered with, where the client threw for that; undefined where no answer came. */
export async function answerIn(error: unknown) {
  const { APIError } = await import("openai");
  return error instanceof APIError && error.status !== undefined ? error : undefined;
}
