/** Prometheus' text format, read as a scraper reads it. */

/** Every sample by its name and labels, such as `llm_tokens_total{direction="input",model="gpt-4o"}`; labels sorted. */
export function readSamples(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const sorted = [...labels.matchAll(/[a-z_]+="(?:[^"\\]|\\.)*"/g)].map(([label]) => label).sort();
    samples.set(sorted.length > 0 ? `${name}{${sorted.join(",")}}` : name, Number(value));
  }
  return samples;
}

/** The names of the gateway's own; the process tells of itself beside them. */
export function ownSeries(text: string): string[] {
  return [...readSamples(text).keys()].filter((name) => name.startsWith("llm_"));
}

/** Those of one metric, by their labels alone. */
export function samplesOf(text: string, metric: string): Record<string, number> {
  const own = [...readSamples(text)].filter(([name]) => name === metric || name.startsWith(`${metric}{`));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(metric.length + 1, -1), value]));
}

/** Of all series of a metric that have such a label, written as in the text. */
export function sumOf(text: string, metric: string, label = ""): number {
  const series = Object.entries(samplesOf(text, metric)).filter(([labels]) => labels.includes(label));
  return series.reduce((sum, [, value]) => sum + value, 0);
}
