/** What became of the copies of one shadow, and how its answers compare. It keeps no text. */
import type { Compared } from "../core/call.ts";

export class ShadowFigures {
  copies = 0;
  failures = 0;
  capped = 0;
  costPicoUsd = 0n;
  compared = 0;
  equal = 0;
  sameFinish = 0;
  similarity = 0;
  lengthRatio = 0;

  ended(failed: boolean, costPicoUsd: bigint | undefined): void {
    this.copies++;
    if (failed) this.failures++;
    this.costPicoUsd += costPicoUsd ?? 0n;
  }

  compare({ equal, sameFinish, similarity, lengthRatio }: Compared): void {
    this.compared++;
    if (equal) this.equal++;
    if (sameFinish) this.sameFinish++;
    this.similarity += similarity;
    this.lengthRatio += lengthRatio;
  }
}
