/** The models that the emulator lists, and the few traits by which generations differ on the wire. */
import type { Model } from "@google/genai";
import { type Api, unknownModel } from "./errors.ts";

const NAMES: readonly string[] = [
  "gemini-1.5-flash",
  "gemini-1.5-pro",
  "gemini-2.0-flash",
  "gemini-2.0-flash-lite",
  "gemini-2.5-flash",
  "gemini-2.5-flash-lite",
  "gemini-2.5-pro",
  "gemini-3.5-flash",
  "gemini-3.6-flash",
  "gemini-embedding-001",
];

/** As the API writes it; the SDK gives some of it other names. */
type WireModel = Pick<Model, "name" | "version" | "displayName" | "inputTokenLimit" | "outputTokenLimit"> & {
  readonly supportedGenerationMethods: readonly string[];
};

/** A page of the list; its token is the place where the next one begins. */
export function listModels(
  pageSize: number,
  pageToken: string,
): { models: WireModel[]; nextPageToken?: string } {
  const first = Number(pageToken) || 0;
  const end = first + pageSize;
  const models = NAMES.slice(first, end).map((name) => describe(name));
  return end < NAMES.length ? { models, nextPageToken: String(end) } : { models };
}

/** Any name is a model unless it says that it is none. Throws Refusal 404 for those. */
export function describeModel(name: string): WireModel {
  requireKnown("gemini", name, "generateContent");
  return describe(name);
}

/** Throws Refusal 404 for `gemini-unknown…` and `no-such-…`. */
export function requireKnown(api: Api, model: string, method: string): void {
  if (model.startsWith("gemini-unknown") || model.startsWith("no-such-"))
    throw unknownModel(api, model, method);
}

/** The generation; an alias is the newest. */
export function generationOf(model: string): number {
  return Number(/gemini-(\d+(?:\.\d+)?)/.exec(model)?.[1] ?? 9);
}

function describe(name: string): WireModel {
  const embeds = name.includes("embedding");
  return {
    name: `models/${name}`,
    version: "001",
    displayName: name,
    inputTokenLimit: embeds ? 2_048 : 1_048_576,
    outputTokenLimit: embeds ? 1 : 65_536,
    supportedGenerationMethods: embeds
      ? ["embedContent", "batchEmbedContents"]
      : ["generateContent", "countTokens"],
  };
}
