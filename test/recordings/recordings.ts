/** Finds and reads recordings of real providers. They lie outside of the repository. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

export interface Recording {
  readonly provider: string;
  readonly name: string;
  readonly meta: Meta;
  readonly request: string | undefined;
  readonly body: Buffer;
}

export interface Meta {
  readonly operation: string;
  readonly request: { readonly stream: boolean; readonly url: string | null };
  readonly status: number;
  readonly content_type: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Of the bytes that came; those that are kept here are decoded. */
  readonly content_encoding_on_the_wire: string | null;
  readonly expected: Expected;
}

/** What a client should make of it, in the provider's own names. */
export interface Expected extends ExpectedChoice {
  readonly choices?: readonly ExpectedChoice[];
  readonly model?: string;
  readonly input_tokens?: number;
  /** Where `input_tokens` leaves out what was cached. */
  readonly total_input_tokens?: number;
  readonly output_tokens?: number;
  readonly cached_input_tokens?: number;
  readonly cache_write_tokens?: number;
  readonly reasoning_tokens?: number;
  readonly embeddings?: number;
  readonly dimensions?: number;
  readonly error?: ExpectedError;
}

export interface ExpectedChoice {
  readonly index?: number;
  readonly text?: string;
  readonly thinking?: string;
  readonly refusal?: string;
  readonly tool_calls?: readonly ExpectedCall[];
  readonly function_call?: ExpectedCall;
  readonly finish_reason?: string;
}

export interface ExpectedCall {
  readonly id?: string;
  readonly name: string;
  readonly arguments?: unknown;
  /** Arguments that were cut off. */
  readonly arguments_raw?: string;
  readonly input?: string;
}

export interface ExpectedError {
  readonly http_status: number;
  readonly message?: string;
  readonly code?: string | number;
  readonly type?: string;
  readonly retry_after?: string;
  readonly retry_after_ms?: string;
}

/** The folder named by `LLM_RECORDINGS_DIR`, or else the usual one beside the repository, if it is there. */
export function recordingsFolder(): string | undefined {
  const named = process.env.LLM_RECORDINGS_DIR;
  if (named) return named;
  const usual = fileURLToPath(new URL("../../../shared/fixtures/providers", import.meta.url));
  return existsSync(usual) ? usual : undefined;
}

export function loadRecordings(folder: string, providers: readonly string[]): Recording[] {
  return providers.flatMap((provider) =>
    readdirSync(resolve(folder, provider)).map((name) =>
      loadRecording(resolve(folder, provider, name), provider, name),
    ),
  );
}

function loadRecording(folder: string, provider: string, name: string): Recording {
  const meta: Meta = JSON.parse(readFileSync(`${folder}/meta.json`, "utf8"));
  const raw = readFileSync(`${folder}/${meta.body}`);
  const body = meta.body.endsWith(".b64") ? Buffer.from(raw.toString("ascii"), "base64") : raw;
  const request = existsSync(`${folder}/request.json`)
    ? readFileSync(`${folder}/request.json`, "utf8")
    : undefined;
  return { provider, name, meta, request, body };
}
