/** How far a batch has come, on standard error: one line that is drawn anew, or lines where nobody looks at a terminal. */
import type { Tally } from "./output.ts";

const WIDTH = 24;
const DRAW_EVERY_MS = 200;
const TELL_EVERY_MS = 5_000;

export class Bar {
  private readonly total: number;
  private readonly startedAtMs = Date.now();
  private readonly before: number;
  private drawnAtMs = 0;

  /** @param before how many had ended when it began */
  constructor(total: number, before: number) {
    this.total = total;
    this.before = before;
  }

  draw(tally: Tally): void {
    const nowMs = Date.now();
    const { isTTY } = process.stderr;
    if (nowMs - this.drawnAtMs < (isTTY ? DRAW_EVERY_MS : TELL_EVERY_MS)) return;
    this.drawnAtMs = nowMs;
    const text = this.describe(tally, (nowMs - this.startedAtMs) / 1_000);
    process.stderr.write(isTTY ? `\r\x1b[K${text}` : `${text}\n`);
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }

  private describe(tally: Tally, seconds: number): string {
    const done = tally.answered + tally.failed;
    const full = Math.round((WIDTH * done) / this.total);
    const bar = process.stderr.isTTY ? `${"█".repeat(full)}${"░".repeat(WIDTH - full)} ` : "";
    const rate = (done - this.before) / Math.max(seconds, 0.001);
    const left = rate > 0 ? ` · ${Math.ceil((this.total - done) / rate)} s left` : "";
    const failed = tally.failed > 0 ? ` · ${tally.failed} failed` : "";
    return `${bar}${done}/${this.total}${failed} · ${spent(tally)} · ${rate.toFixed(1)}/s${left}`;
  }
}

/** Such as `$0.0123`, or `at least $0.0123` where some costs are not known. */
export function spent({ picoUsd, unpriced }: Tally): string {
  const usd = `$${(Number(picoUsd) / 1e12).toFixed(6)}`;
  return unpriced > 0 ? `at least ${usd} (the cost of ${unpriced} is not known)` : usd;
}
