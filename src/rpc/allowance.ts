/** The money that several calls may spend together, a share each while they are under way. It makes no call. */
import { type PicoUsd, sum, ZERO } from "../core/money.ts";

export class Allowance {
  private readonly most: PicoUsd | undefined;
  /** Spent, or held for what is under way. */
  private gone = ZERO;

  /** @param most undefined for no limit */
  constructor(most: PicoUsd | undefined) {
    this.most = most;
  }

  /** Whether a share is well above what is expected, so that no answer is cut short for the sake of others. */
  hasPlenty(expected: PicoUsd | undefined, places: number): boolean {
    return this.most === undefined || this.share(places) >= 2n * (expected ?? ZERO);
  }

  /** @returns what the call may cost at most, undefined for no limit; `none` when all that is left is not well above what is expected */
  take(expected: PicoUsd | undefined, places: number): PicoUsd | undefined | "none" {
    if (this.most === undefined) return undefined;
    const share = this.share(this.hasPlenty(expected, places) ? places : 1);
    if (share === 0n || !this.hasPlenty(expected, 1)) return "none";
    this.gone = sum(this.gone, share);
    return share;
  }

  /** Gives the rest back. A cost that is not known counts as the whole share. */
  settle(share: PicoUsd | undefined, cost: bigint | undefined): void {
    if (share === undefined) return;
    this.gone = (this.gone - share + (cost ?? share)) as PicoUsd;
  }

  private share(places: number): PicoUsd {
    const free = (this.most ?? ZERO) - this.gone;
    return (free > 0n ? free / BigInt(places) : 0n) as PicoUsd;
  }
}
