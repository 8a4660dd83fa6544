/** A round's result for people. */
import type { Played } from "./round.ts";

export function tableOf({ jobs, figures }: Played): string {
  const states = Map.groupBy(jobs, ({ status }) => status);
  const ended = [...states].map(([status, those]) => `${those.length} ${status}`).sort();
  const failures = Map.groupBy(
    jobs.filter(({ status }) => status === "failed"),
    ({ failure }) => failure?.kind ?? "",
  );
  const { runs, lostRuns, webhooks, tries, kills, restarts, repeated, seconds } = figures;
  const lines: readonly (readonly [string, string])[] = [
    ["jobs", `${jobs.length}: ${ended.join(", ")}`],
    ["failures", [...failures].map(([kind, those]) => `${those.length} ${kind}`).join(", ") || "none"],
    ["runs", `${runs}, ${lostRuns} of them lost`],
    ["webhooks", `${webhooks} in ${tries} tries`],
    ["chaos", `${kills} kills, ${restarts} restarts of the database, ${repeated} calls made again`],
    ["time", `${seconds.toFixed(0)} s`],
  ];
  return lines.map(([name, text]) => `${name.padEnd(10)}${text}`).join("\n");
}
