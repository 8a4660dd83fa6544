/** What all calls since the page was loaded have cost. The page forgets it; the gateway's log does not. */
import { find } from "./dom.ts";
import { dollars } from "./money.ts";

export class Session {
  private readonly total = find("total", HTMLOutputElement);
  private readonly note = find("total-note", HTMLElement);
  private spent = 0n;
  private calls = 0;
  private unknown = 0;
  private isEstimated = false;

  /** With what the call under way has cost so far. */
  running(cost: bigint | undefined): void {
    this.show(this.spent + (cost ?? 0n), true);
  }

  /** A call that reached a provider is over. Its cost is absent when it is not known. */
  settle(cost: bigint | undefined, provenance: string): void {
    this.calls += 1;
    if (cost === undefined) this.unknown += 1;
    else if (provenance !== "measured") this.isEstimated = true;
    this.spent += cost ?? 0n;
    this.rest();
  }

  /** No call is under way. */
  rest(): void {
    this.show(this.spent, this.isEstimated);
  }

  private show(amount: bigint, isEstimated: boolean): void {
    this.total.textContent = `${isEstimated ? "≈ " : ""}${dollars(amount)}`;
    const calls = this.calls === 1 ? "1 call" : `${this.calls} calls`;
    const unknown = this.unknown > 0 ? `, ${this.unknown} of unknown cost` : "";
    this.note.textContent = this.calls === 0 ? "this session" : `in ${calls}${unknown}`;
  }
}
