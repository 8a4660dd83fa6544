/** What many people ask an assistant: few questions often and many once, in the words of its templates. Seeded. */
import { mulberry32 } from "../../src/emulator/random.ts";

export interface Prompt {
  readonly system: string;
  readonly user: string;
}

export interface Workload {
  /** In the order in which they are asked. */
  readonly prompts: readonly Prompt[];
}

export interface WorkloadInit {
  readonly seed: number;
  readonly requests: number;
  /** How many different prompts there are to draw from. */
  readonly distinct: number;
  /** The nth most frequent is asked in proportion to 1/n to this power. */
  readonly exponent: number;
}

const SYSTEMS = [
  "You are the assistant of an online shop. Answer in two sentences, and name the page that says more.",
  "You are a support engineer for a cloud provider. Be exact; if you are not sure, say so.",
  "Summarize what the user gives you for a busy reader. Keep every number.",
];
const QUESTIONS = [
  "Where is my order {number}? It should have come on {day}.",
  "How do I return {thing} that I bought {span} ago?",
  "Does {thing} come in {colour}, and how long does delivery to {place} take?",
  "My {service} instance in {place} answers with error {code} since {day}. What should I check first?",
  "Write a {service} policy that lets the role `reader-{number}` list objects and nothing else.",
  "What is the difference between {service} and a plain virtual machine for {span} of batch work?",
  "Summarize: on {day}, sales in {place} rose by {code} units to {number}, mostly of {thing}.",
  'Translate into {language}: "The {thing} will be shipped on {day}."',
];
const WORDS: Readonly<Record<string, readonly string[]>> = {
  thing: [
    "a rain jacket",
    "the blue kettle",
    "a desk lamp",
    "hiking boots",
    "a phone case",
    "the travel mug",
  ],
  colour: ["green", "dark grey", "red", "white"],
  place: ["Lisbon", "Oslo", "Frankfurt", "São Paulo", "Osaka", "Toronto"],
  span: ["two days", "three weeks", "a month", "half a year"],
  day: ["Monday", "Tuesday", "Friday", "1 March", "24 December"],
  service: ["object storage", "queue", "database", "function"],
  language: ["French", "Japanese", "Portuguese", "German"],
};

export function workloadOf({ seed, requests, distinct, exponent }: WorkloadInit): Workload {
  const random = mulberry32(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const number = () => String(1_000 + Math.floor(random() * 900_000));
  const made = new Map<string, Prompt>();
  while (made.size < distinct) {
    const user = pick(QUESTIONS).replace(/\{(\w+)\}/g, (_, name) =>
      name === "number"
        ? number()
        : name === "code"
          ? String(400 + Math.floor(random() * 200))
          : pick(WORDS[name] ?? []),
    );
    const prompt = { system: pick(SYSTEMS), user };
    made.set(JSON.stringify(prompt), prompt);
  }
  const ranked = [...made.values()];
  const weights = ranked.map((_, rank) => 1 / (rank + 1) ** exponent);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const draw = (): Prompt => {
    let left = random() * total;
    const rank = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return ranked[Math.max(rank, 0)] as Prompt;
  };
  return { prompts: Array.from({ length: requests }, draw) };
}

/** How many of them an ideal memory of so many answers, which lets go of what was asked longest ago, would have had. */
export function idealHits({ prompts }: Workload, size: number): number {
  const kept = new Set<Prompt>();
  let hits = 0;
  for (const prompt of prompts) {
    if (kept.delete(prompt)) hits++;
    kept.add(prompt);
    if (kept.size > size) kept.delete(kept.values().next().value as Prompt);
  }
  return hits;
}
