/** The rules by which the sources are laid out, read off their imports. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { expect, it } from "vitest";

const SRC = join(import.meta.dirname, "..", "src");
const GEN = join("..", "gen");

/** From the top. Imports go down; those in one row do not import each other. */
const LAYERS: readonly (readonly string[])[] = [
  ["main.ts"],
  ["gateway.ts"],
  ["fronts.ts"],
  ["app.ts"],
  ["cached.ts", "moderating.ts", "way.ts", "preview.ts", "varied.ts"],
  [
    "answers.ts",
    "books.ts",
    "caching.ts",
    "comparing.ts",
    "experimenting.ts",
    "foreseen.ts",
    "models.ts",
    "policies.ts",
    "providing.ts",
    "routes.ts",
    "standing.ts",
    "backlog.ts",
    "spending.ts",
    "transcribing.ts",
  ],
  ["rpc", "compat", "jobs", "config"],
  ["layers"],
  ["routing"],
  [
    "providers",
    "resilience",
    "cost",
    "cache",
    "experiments",
    "templates",
    "moderation",
    "store",
    "telemetry",
    "transcripts",
  ],
  ["wire"],
  ["core"],
  [GEN],
];

/** What stands beside the layers, and what it may import of them. */
const APART: Readonly<Record<string, readonly string[]>> = {
  emulator: ["core", GEN],
  "version.ts": [],
};

/** Dialects that are others with changes, and those. */
const BASES: Readonly<Record<string, readonly string[]>> = {
  bedrock: ["claude"],
  mistral: ["openai"],
  vertex_ai: ["gemini", "claude"],
};

interface Source {
  /** Below `src`, such as `rpc/door.ts`. */
  readonly path: string;
  readonly text: string;
  /** As paths below `src`, or beginning with `../gen`. */
  readonly imports: readonly string[];
}

const sources: readonly Source[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => {
    const text = readFileSync(join(SRC, path), "utf8");
    return {
      path,
      text,
      imports: importsOf(text).map((target) => relative(SRC, join(SRC, dirname(path), target))),
    };
  });

function importsOf(text: string): string[] {
  const statements = /(?:^|[\s;])(?:import|export)\s[^"';]*?from\s*"(\.[^"]+)"/g;
  const others = /\bimport\s*\(?\s*"(\.[^"]+)"/g;
  return [...text.matchAll(statements), ...text.matchAll(others)].map(([, target = ""]) => target);
}

/** The file or folder directly below `src`, or `../gen`. */
function roomOf(path: string): string {
  return path.startsWith(GEN) ? GEN : (path.split(sep)[0] ?? path);
}

function depthOf(room: string): number {
  return LAYERS.findIndex((layer) => layer.includes(room));
}

/** Each import of all sources for which the rule has an objection, in words. */
function objections(rule: (from: string, to: string) => boolean): string[] {
  return sources.flatMap(({ path, imports }) =>
    imports.filter((target) => rule(path, target)).map((target) => `${path} imports ${target}`),
  );
}

it("reads the sources and every form of import", () => {
  expect(sources.length).toBeGreaterThan(50);
  const forms = [
    'import { a } from "./a.ts";',
    'import type { B } from "./b.ts";',
    'import c, {\n  d,\n} from "../c.ts";',
    'import "./e.ts";',
    'export { f } from "./f.ts";',
    'export * from "./g.ts";',
    'const h = await import("./h.ts");',
    'import i from "node:fs";',
  ];
  const found = importsOf(forms.join("\n")).sort();
  expect(found).toEqual(["../c.ts", "./a.ts", "./b.ts", "./e.ts", "./f.ts", "./g.ts", "./h.ts"]);
  expect(sources.find(({ path }) => path === "gateway.ts")?.imports).toContain("app.ts");
});

it("every file has its place", () => {
  const rooms = new Set(sources.map(({ path }) => roomOf(path)));
  expect([...rooms].filter((room) => depthOf(room) < 0 && !(room in APART))).toEqual([]);
});

it("imports go down", () => {
  expect(
    objections((from, to) => {
      const [above, below] = [roomOf(from), roomOf(to)];
      if (above === below || below === "version.ts") return false;
      const allowed = APART[above];
      if (allowed) return !allowed.includes(below);
      return depthOf(below) < 0 || depthOf(below) < depthOf(above);
    }),
  ).toEqual([]);
});

it("neighbours do not import each other", () => {
  expect(
    objections((from, to) => {
      const [one, other] = [roomOf(from), roomOf(to)];
      return one !== other && depthOf(one) >= 0 && depthOf(one) === depthOf(other);
    }),
  ).toEqual([]);
});

it("policies do not import each other", () => {
  expect(objections((from, to) => roomOf(from) === "layers" && roomOf(to) === "layers")).toEqual([]);
});

it("dialects import their bases at most", () => {
  const dialectOf = (path: string) => /^providers\/([^/]+)\//.exec(path.replaceAll(sep, "/"))?.[1];
  expect(
    objections((from, to) => {
      const [one, other] = [dialectOf(from), dialectOf(to)];
      return one !== undefined && other !== undefined && one !== other && !BASES[one]?.includes(other);
    }),
  ).toEqual([]);
});

it("only the top sees the configuration", () => {
  const depth = depthOf("books.ts");
  const sees = (room: string) => room === "config" || (depthOf(room) >= 0 && depthOf(room) <= depth);
  expect(objections((from, to) => roomOf(to) === "config" && !sees(roomOf(from)))).toEqual([]);
});

it("nothing imports itself in a circle", () => {
  const importsByPath = new Map(sources.map(({ path, imports }) => [path, imports]));
  const cleared = new Set<string>();
  const circleThrough = (path: string, way: readonly string[]): string | undefined => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path].join(" → ");
    if (cleared.has(path)) return undefined;
    for (const target of importsByPath.get(path) ?? []) {
      const circle = circleThrough(target, [...way, path]);
      if (circle) return circle;
    }
    cleared.add(path);
    return undefined;
  };
  expect(sources.flatMap(({ path }) => circleThrough(path, []) ?? [])).toEqual([]);
});

/** Without comments, and without what stands between quotes. */
function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, "");
}

function breaking(rule: (source: Source) => boolean): string[] {
  return sources.filter(rule).map(({ path }) => path);
}

it("no file does nothing but hand on others", () => {
  const statement = /\b(?:import|export)\s[^;]*?from\s*"[^"]+";|\bimport\s*"[^"]+";/g;
  expect(
    breaking(
      ({ text }) => /\bexport\s[^;]*from\s*"/.test(text) && codeOf(text).replace(statement, "").trim() === "",
    ),
  ).toEqual([]);
});

it("no file has more than 300 lines", () => {
  expect(breaking(({ text }) => text.trimEnd().split("\n").length > 300)).toEqual([]);
});

it("every file opens with what it owns", () => {
  expect(breaking(({ text }) => !/^\/\*\*\s+\S[\s\S]{20,}?\*\//.test(text.replace(/^#!.*\n/, "")))).toEqual(
    [],
  );
});

it("no module has state that changes", () => {
  expect(breaking(({ text }) => /^(?:export\s+)?(?:let|var)\s/m.test(codeOf(text)))).toEqual([]);
});
