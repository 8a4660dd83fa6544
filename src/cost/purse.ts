/** The money of one attempt: what its call may still spend, and what budgets hold ready for it. */
import { lesser, type PicoUsd } from "../core/money.ts";
import type { Reservation } from "./budget/budgets.ts";

export class Purse {
  private readonly ceiling: PicoUsd | undefined;
  private readonly reservation: Reservation | undefined;
  private granted: PicoUsd | undefined;

  /**
   * @param ceiling what is left of the call's own limit; undefined for none
   * @param reservation undefined where no budget applies
   */
  constructor(ceiling: PicoUsd | undefined, reservation: Reservation | undefined) {
    this.ceiling = ceiling;
    this.reservation = reservation;
    this.granted = reservation?.granted;
  }

  /** Undefined when nothing limits the attempt. */
  get money(): PicoUsd | undefined {
    const { ceiling, granted } = this;
    if (ceiling === undefined || granted === undefined) return ceiling ?? granted;
    return lesser(ceiling, granted);
  }

  get held(): PicoUsd | undefined {
    return this.granted;
  }

  /** Whether the call's own limit is used up. */
  spent(running: PicoUsd): boolean {
    return this.ceiling !== undefined && running >= this.ceiling;
  }

  /** Whether what may have been spent by now is held ready. */
  covers(most: PicoUsd): boolean {
    return this.granted === undefined || most <= this.granted;
  }

  /** Has `wanted` held ready, or as much of it as budgets afford; false when that does not cover `most`. */
  async topUp(most: PicoUsd, wanted: PicoUsd): Promise<boolean> {
    this.granted = await this.reservation?.extend(wanted);
    return this.covers(most);
  }

  /** @param cost undefined when it is not known, and all that is held may be gone */
  settle(cost: PicoUsd | undefined): void {
    if (this.granted !== undefined) this.reservation?.settle(cost ?? this.granted);
  }
}
