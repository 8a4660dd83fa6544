/** `llmgateway templates`: which there are, what one says, and what it comes to with given values. */
import { toJsonString } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  ListTemplatesResponseSchema,
  RenderTemplateResponseSchema,
  type TemplateVariable,
  type TemplateVersion,
} from "../../gen/ts/llmgateway/v1/template_pb.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import type { JsonOptions } from "./jobs.ts";
import { fields, table } from "./table.ts";
import type { FromTemplate } from "./template-commands.ts";
import { readVariables } from "./variables.ts";

export type TemplatesOptions = JsonOptions;
export interface RenderOptions extends JsonOptions, Omit<FromTemplate, "template"> {}

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;

export function listTemplates(name: string, { json, ...options }: TemplatesOptions): Promise<number> {
  return call(options, async (gateway, signal) => {
    const list = await gateway.listTemplates({ name }, { signal });
    if (json) process.stdout.write(`${toJsonString(ListTemplatesResponseSchema, list, PRETTY)}\n`);
    else if (name) process.stdout.write(list.templates.map(described).join("\n"));
    else process.stdout.write(table(HEAD, list.templates.map(rowOf)));
  });
}

/** Each message begins with its role. */
export async function renderTemplate(
  name: string,
  { json, templateVersion = 0, var: typed, ...options }: RenderOptions,
): Promise<number> {
  const variables = await readVariables(typed);
  return call(options, async (gateway, signal) => {
    const reply = await gateway.renderTemplate({ name, templateVersion, variables }, { signal });
    if (json) {
      process.stdout.write(`${toJsonString(RenderTemplateResponseSchema, reply, PRETTY)}\n`);
      return;
    }
    for (const { role, content, parts } of reply.messages) {
      const texts = parts.map(({ part }) => (part.case === "text" ? part.value : `[${part.case}]`));
      process.stdout.write(`${role}: ${[content, ...texts].filter(Boolean).join("\n")}\n`);
    }
    process.stderr.write(
      `${reply.template?.name}@${reply.template?.version} · ${reply.model || "any model"}\n`,
    );
  });
}

const HEAD = ["TEMPLATE", "LATEST", "MODEL", "VARIABLES", "DESCRIPTION"];

function rowOf({ name, version, latest, template }: TemplateVersion): string[] {
  const variables = Object.keys(template?.variables ?? {}).join(", ");
  return [
    `${name}@${version}`,
    latest ? "yes" : "",
    template?.model ?? "",
    variables,
    template?.description ?? "",
  ];
}

function described({ name, version, latest, template }: TemplateVersion): string {
  const messages = template?.prompt ? [{ role: "user", content: template.prompt }] : template?.messages;
  const rows = Object.entries(template?.variables ?? {}).map(([variable, it]) => [
    variable,
    it.values.length > 0 ? it.values.join(", ") : it.type || "string",
    standardOf(it),
    it.description,
  ]);
  const texts = (messages ?? []).map(({ role, content }) => `${role}: ${content}\n`);
  return [
    fields({
      template: `${name}@${version}${latest ? " (latest)" : ""}`,
      description: template?.description,
      model: [template?.model, template?.modelVersion].filter(Boolean).join(" "),
      overridable: template?.overridable.join(", "),
    }),
    rows.length > 0 ? `\n${table(["variable", "type", "default", "description"], rows)}` : "",
    `\n${texts.join("")}`,
  ].join("");
}

function standardOf(variable: TemplateVariable): string {
  if (variable.default) return toJsonString(ValueSchema, variable.default);
  return variable.required === false ? "" : "required";
}
