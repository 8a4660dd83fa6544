/**
 * Remembers the prefixes of long prompts, as providers' prompt caches do: a prefix of at least 1,024 tokens, in
 * steps of 128, that was seen before is read from the cache. It never expires; the oldest give way.
 */

/** Both are parts of the prompt's tokens. */
export interface CacheUse {
  readonly cachedTokens: number;
  /** Tokens that this prompt added to the cache. */
  readonly writtenTokens: number;
}

const LEAST_TOKENS = 1_024;
const STEP_TOKENS = 128;
/** By the emulator's rule of four bytes a token; a prompt that is not ASCII is cut a little later. */
const STEP_CHARACTERS = STEP_TOKENS * 4;

export class PromptCache {
  readonly #prefixes = new Set<number>();
  readonly #keptPrefixes: number;

  /** A prompt of n tokens has about n/128 prefixes. */
  constructor(keptPrefixes = 65_536) {
    this.#keptPrefixes = keptPrefixes;
  }

  /** Looks a prompt up and remembers its prefixes. `text` gives all of it, in order; a short prompt's is never asked for. */
  observe(model: string, tokens: number, text: () => string): CacheUse {
    if (tokens <= LEAST_TOKENS) return { cachedTokens: 0, writtenTokens: 0 };
    let cached = 0;
    let reached = 0;
    eachPrefix(`${model}\n${text()}`, (prefix, prefixTokens) => {
      if (prefixTokens < LEAST_TOKENS || prefixTokens > tokens) return;
      reached = prefixTokens;
      if (this.#prefixes.has(prefix)) cached = prefixTokens;
      else this.#remember(prefix);
    });
    return { cachedTokens: cached, writtenTokens: reached - cached };
  }

  #remember(prefix: number): void {
    if (this.#prefixes.size >= this.#keptPrefixes) {
      const [oldest] = this.#prefixes;
      if (oldest !== undefined) this.#prefixes.delete(oldest);
    }
    this.#prefixes.add(prefix);
  }
}

/** Calls `found` at every whole step with a 53-bit hash of the text up to there. */
function eachPrefix(text: string, found: (hash: number, tokens: number) => void): void {
  let high = 0x811c9dc5;
  let low = 0x1b873593;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x5bd1e995);
    if ((index + 1) % STEP_CHARACTERS === 0) {
      found((high >>> 0) * 0x20_0000 + (low >>> 11), ((index + 1) / STEP_CHARACTERS) * STEP_TOKENS);
    }
  }
}
