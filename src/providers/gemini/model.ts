/** What a model's name tells of what it takes. */

/** The generation, such as 2.5. A name that tells none is an alias such as `gemini-flash-latest`: the newest. */
export function generationOf(model: string): number {
  const generation = /gemini-(\d+(?:\.\d+)?)/.exec(model)?.[1];
  return generation === undefined ? Number.POSITIVE_INFINITY : Number(generation);
}

/** Since Gemini 3 thinking has levels, calls have ids, and signatures are verified. */
export function isGemini3(model: string): boolean {
  return generationOf(model) >= 3;
}
