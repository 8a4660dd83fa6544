/**
 * How many tokens models charge for by the bytes that are seen of their answers, learnt from what providers measured:
 * for answers that came whole and that nobody counted. It sees no answer itself.
 */
import { LRUMap } from "mnemonist";

export class AnswerLengths {
  private readonly models = new LRUMap<string, Sums>(TARGETS);

  /** @param like what kind of answer it is, and of which model */
  tokensOf(like: string, bytes: number): number {
    const known = this.models.get(like) ?? PRIOR;
    return Math.ceil((bytes * known.tokens) / known.bytes);
  }

  /** @param tokens measured by the provider, with thoughts that nobody saw */
  observe(like: string, bytes: number, tokens: number): void {
    // Of what has no words, such as sounds, there is nothing to learn.
    if (bytes === 0 || tokens === 0) return;
    const { bytes: ofBytes, tokens: ofTokens } = this.models.get(like) ?? PRIOR;
    const keep = ofBytes > FULL_BYTES ? 0.5 : 1;
    this.models.set(like, { bytes: keep * ofBytes + bytes, tokens: keep * ofTokens + tokens });
  }
}

interface Sums {
  readonly bytes: number;
  readonly tokens: number;
}

const TARGETS = 1_000;
/** Before anything is known, and as heavy as one short answer: a quarter of the bytes, which is near the truth for prose. */
const PRIOR: Sums = { bytes: 256, tokens: 64 };
/** Where so many are counted, all count half from then on: habits change. */
const FULL_BYTES = 4_000_000;
