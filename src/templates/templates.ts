/** The templates that there are, by name and version. Which of them a request may have is not asked. */
import type { Template } from "../../gen/ts/llmgateway/v1/template_pb.ts";
import { Failure, invalidRequest } from "../core/failure.ts";
import { keyPath, type Violation } from "../core/strict-json.ts";
import { type CompiledTemplate, compileTemplate } from "./compile.ts";

export class Templates {
  /** By name; of each name the versions, the latest last. */
  private readonly byName: ReadonlyMap<string, readonly CompiledTemplate[]>;
  /** By name, then by version. */
  readonly all: readonly CompiledTemplate[];

  constructor(configured: Readonly<Record<string, Template>>) {
    this.all = Object.entries(configured)
      .map(([key, source]) => compileTemplate(key, source).template)
      .sort((a, b) => compare(a.name, b.name) || a.version - b.version);
    this.byName = Map.groupBy(this.all, ({ name }) => name);
  }

  /** Whether it is the one that is meant when no version is said. */
  isLatest(template: CompiledTemplate): boolean {
    return this.byName.get(template.name)?.at(-1) === template;
  }

  /**
   * @param text `name` or `name@version`
   * @param version 0 for the one in the name, or else the latest
   * @param fields what the request calls both
   * @throws Failure
   */
  find(text: string, version: number, fields: { readonly name: string; readonly version: string }) {
    const [, name = text, told] = /^(.*)@([0-9]+)$/s.exec(text) ?? [];
    if (told !== undefined && version > 0 && Number(told) !== version)
      throw invalidRequest([
        {
          field: fields.version,
          description: `is not the version that ${fields.name} names; leave one of them out`,
        },
      ]);
    const versions = this.byName.get(name);
    if (!versions) throw notFound(fields.name, `there is no such template; ${this.names()}`);
    const wanted = told === undefined ? version : Number(told);
    if (told === undefined && wanted === 0) return versions.at(-1) as CompiledTemplate;
    const found = versions.find((template) => template.version === wanted);
    if (found) return found;
    const there = versions.map((template) => template.version).join(", ");
    const field = told === undefined ? fields.version : fields.name;
    throw notFound(field, `the template ${name} has no version ${wanted}; there are ${there}`);
  }

  private names(): string {
    const names = [...this.byName.keys()];
    if (names.length === 0) return "none is configured";
    const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : "";
    return `there are ${names.slice(0, NAMED).join(", ")}${more}`;
  }
}

/** How many templates a refusal names. */
const NAMED = 20;

/** What is wrong with those of a configuration, by paths below `templates`. */
export function templateFaults(configured: Readonly<Record<string, Template>>): Violation[] {
  return Object.entries(configured).flatMap(([key, source]) => {
    const path = keyPath("templates", key);
    const { faults } = compileTemplate(key, source);
    const twice = !key.includes("@") && Object.hasOwn(configured, `${key}@1`);
    const told = twice
      ? [{ field: path, description: `is version 1, as "${key}@1" is; give one of them another` }]
      : [];
    return [
      ...told,
      ...faults.map(({ field, description }) => ({
        field: field ? `${path}.${field}` : path,
        description,
      })),
    ];
  });
}

function notFound(field: string, description: string): Failure {
  return new Failure("not_found", `${field}: ${description}`, { violations: [{ field, description }] });
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
