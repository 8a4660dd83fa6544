/** The templates that lie as files beside the configuration, one in each. It does not judge what they say. */
import { readdirSync } from "node:fs";
import { dirname, join, parse } from "node:path";
import { type Template, TemplateSchema } from "../../gen/ts/llmgateway/v1/template_pb.ts";
import { readStrict } from "../core/strict-json.ts";
import type { Problem } from "./error.ts";
import { readYamlFile } from "./yaml-file.ts";

/** What is to be watched: the configuration, the folder, whether or not it is there, and what lies in it. */
export function configPaths(configFile: string | undefined): string[] {
  if (configFile === undefined) return [];
  const folder = folderOf(configFile);
  return [configFile, folder, ...filesIn(folder, [])];
}

export interface TemplateFile {
  /** As the configuration would have it, `name` or `name@version`. */
  readonly key: string;
  readonly path: string;
  readonly template: Template;
}

export function readTemplates(configFile: string, problems: Problem[]): TemplateFile[] {
  return filesIn(folderOf(configFile), problems).flatMap((path) => {
    const json = readYamlFile(path, problems);
    if (json === undefined) return [];
    const read = readStrict(TemplateSchema, json ?? {});
    if ("message" in read) return [{ key: keyOf(path), path, template: read.message }];
    for (const { field, description } of read.violations)
      problems.push({ source: path, path: field, description });
    return [];
  });
}

function folderOf(configFile: string): string {
  return join(dirname(configFile), "templates");
}

/** What begins with a dot is the file system's, or Kubernetes' own. */
function filesIn(folder: string, problems: Problem[]): string[] {
  try {
    const names = readdirSync(folder).filter((name) => /^[^.].*\.ya?ml$/.test(name));
    return names.sort().map((name) => join(folder, name));
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (code !== "ENOENT" && code !== "ENOTDIR")
      problems.push({ source: folder, path: "", description: `cannot be read (${code})` });
    return [];
  }
}

/** Kubernetes takes no `@` in the names of files. */
function keyOf(path: string): string {
  return parse(path).name.replace(/\.([0-9]+)$/, "@$1");
}
