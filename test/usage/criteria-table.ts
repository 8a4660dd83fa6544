/** How far what was booked is from what the providers metered, by provider and by kind of call. It judges nothing. */
import { type AttemptRow, bookedFor } from "../money/books.ts";
import { meteredBy } from "../money/exchanges.ts";
import { match } from "../money/matching.ts";
import { costOf } from "../money/prices.ts";
import type { Planned } from "./criteria-calls.ts";
import type { Played } from "./criteria-play.ts";

export interface Sums {
  attempts: number;
  meteredPicoUsd: bigint;
  bookedPicoUsd: bigint;
  /** What was expected before the call. */
  expectedPicoUsd: bigint;
}

export interface Line {
  readonly planned: Planned;
  readonly row: AttemptRow;
  readonly meteredPicoUsd: bigint;
  readonly bookedPicoUsd: bigint;
  readonly expectedPicoUsd: bigint;
}

export interface Errors {
  readonly lines: readonly Line[];
  /** Of exchanges that have no row, by their marks. */
  readonly unbooked: readonly string[];
  readonly table: string;
}

export function errorsOf({ told, attempts, exchanges }: Played): Errors {
  const byMark = new Map(told.map((one) => [one.planned.mark, one]));
  const { matched, unbooked } = match(exchanges, attempts);
  const lines = matched.flatMap(({ mark, exchanges: those, row }): Line[] => {
    const one = byMark.get(mark);
    const metered = costOf(row.provider, row.model, meteredBy(those));
    if (!one || metered === undefined) return [];
    const expectedPicoUsd = one.summary?.estimatedPicoUsd ?? 0n;
    return [
      {
        planned: one.planned,
        row,
        meteredPicoUsd: metered,
        bookedPicoUsd: bookedFor(row) ?? 0n,
        expectedPicoUsd,
      },
    ];
  });
  return { lines, unbooked: unbooked.map(({ mark = "" }) => mark), table: tableOf(lines) };
}

export function sumsOf(lines: readonly Line[]): Sums {
  const sums: Sums = { attempts: 0, meteredPicoUsd: 0n, bookedPicoUsd: 0n, expectedPicoUsd: 0n };
  for (const line of lines) {
    sums.attempts += 1;
    sums.meteredPicoUsd += line.meteredPicoUsd;
    sums.bookedPicoUsd += line.bookedPicoUsd;
    sums.expectedPicoUsd += line.expectedPicoUsd;
  }
  return sums;
}

/** Of what was metered; 0 for no error. */
export function errorOf(metered: bigint, amount: bigint): number {
  return metered === 0n ? Number(amount !== 0n) : Number(amount) / Number(metered) - 1;
}

function tableOf(lines: readonly Line[]): string {
  const groups = Map.groupBy(lines, ({ planned, row }) =>
    [planned.kind.padEnd(28), planned.provider.padEnd(10), row.provenance.padEnd(10)].join(""),
  );
  const kinds = Map.groupBy(lines, ({ planned, row }) =>
    [planned.kind.padEnd(28), "all".padEnd(10), row.provenance.padEnd(10)].join(""),
  );
  const rows = [...groups, ...kinds, ["all", lines] as const]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, those]) => {
      const { attempts, meteredPicoUsd, bookedPicoUsd, expectedPicoUsd } = sumsOf(those);
      const [booked, expected] = [bookedPicoUsd, expectedPicoUsd].map((amount) =>
        `${(100 * errorOf(meteredPicoUsd, amount)).toFixed(1)} %`.padStart(10),
      );
      const money = (Number(meteredPicoUsd) / 1e12).toFixed(6).padStart(12);
      return `${key.padEnd(48)}${String(attempts).padStart(8)}${money}${booked}${expected}`;
    });
  const head = `${"kind".padEnd(28)}${"provider".padEnd(10)}${"figures".padEnd(10)}attempts   metered $    booked  expected`;
  return [head, ...rows].join("\n");
}
