/** OpenAI's own client for the calls that are no chat: seldom, and cold. It proves nothing by itself. */
import OpenAI from "openai";
import type { Credentials } from "../credentials.ts";

/** Where and how a provider that speaks like OpenAI is called. */
export interface Access {
  readonly baseUrl: string;
  /** Without the `?`; empty for none. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
}

export function coldClient({ baseUrl, query, headers }: Access, timeoutMs: number): OpenAI {
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
