/** Where a model is below Gemini's base URL. */

/** A tuned model is named with its collection: `tunedModels/mine`. */
export function geminiResource(model: string): string {
  const [, collection = "models", name = ""] = /^(?:(models|tunedModels)\/)?(.*)$/s.exec(model) ?? [];
  return `/${collection}/${encodeURIComponent(name)}`;
}
