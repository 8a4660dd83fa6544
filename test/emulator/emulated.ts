/** Emulators for a test file, closed when it ends, and the plain requests that several tests send them. */
import OpenAI from "openai";
import type { ErrorObject } from "openai/resources/shared";
import { afterAll } from "vitest";
import { type Emulator, type EmulatorOptions, startEmulator } from "../../src/emulator/server.ts";

/** Starts one and sees to it that it is closed. */
export async function emulated(options?: EmulatorOptions): Promise<Emulator> {
  const emulator = await startEmulator(options);
  afterAll(() => emulator.close());
  return emulator;
}

/** The official client; it never retries, so that every request is one call. */
export function openAiClient(emulator: Emulator, apiKey = "test-key"): OpenAI {
  return new OpenAI({ baseURL: `${emulator.url}/v1`, apiKey, maxRetries: 0 });
}

/** A chat request's body with one user message. */
export function chatBody(content: string, fields: object = {}): object {
  return { model: "gpt-4o", messages: [{ role: "user", content }], ...fields };
}

export function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(url, { method: "POST", body: text, ...init });
}

/** Posts a chat request with one user message. */
export function postChat(emulator: Emulator, content: string, fields: object = {}): Promise<Response> {
  return post(`${emulator.url}/v1/chat/completions`, chatBody(content, fields));
}

/** The data of each event of a whole stream. */
export function eventData(stream: string): string[] {
  return stream
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => event.replace(/^data: /, ""));
}

/** The contents of a stream's chunks that carry any, whatever else stands in the stream. */
export function contents(stream: string): string[] {
  return [...stream.matchAll(/"delta":\{"content":"((?:[^"\\]|\\.)*)"/g)].map((match) =>
    JSON.parse(`"${match[1]}"`),
  );
}

/** A JSON body, taken for what the test expects it to be; every field that matters is then asserted. */
export async function readJson<Shape>(response: Response): Promise<Shape> {
  return JSON.parse(await response.text());
}

/** The error in a JSON body. */
export async function readError(response: Response): Promise<ErrorObject> {
  return (await readJson<{ error: ErrorObject }>(response)).error;
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
