/** Numbers from 0 up to but not 1, by Marsaglia's xorshift: the same for a seed, and cheap by the million. */
export function randomOf(seed: number): () => number {
  let state = (seed * 0x9e3779b9) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}
