/** The commands of templates, and the options by which other commands name one. What they do is loaded when one is called. */
import { type Command, Option } from "commander";
import { label, wholeNumber } from "./argument.ts";
import { key, url } from "./option.ts";
import type { RenderOptions, TemplatesOptions } from "./templates.ts";

const MAX_INT32 = 2_147_483_647;

/** What `templateOptions` give. */
export interface FromTemplate {
  readonly template?: string;
  readonly templateVersion?: number;
  /** As they were typed. */
  readonly var?: Readonly<Record<string, string>>;
}

export function templateOptions(): Option[] {
  return [
    new Option("--template <name>", "the template it is made of, such as summarize or summarize@2"),
    version(),
    variable(),
  ];
}

export function addTemplateCommands(program: Command): void {
  const templates = program.command("templates").description("see the templates that requests can name");
  templates
    .command("list", { isDefault: true })
    .description("list them, or tell all of one")
    .argument("[name]", "only this one, with its texts and variables", "")
    .option("--json", "print them as JSON", false)
    .addOption(url())
    .addOption(key())
    .action(async (name: string, options: TemplatesOptions) => {
      const { listTemplates } = await import("./templates.ts");
      process.exitCode = await listTemplates(name, options);
    });
  templates
    .command("render")
    .description("print the messages that one comes to, and ask nobody")
    .argument("<name>", "its name, such as summarize or summarize@2")
    .addOption(version())
    .addOption(variable())
    .option("--json", "print all of it as JSON", false)
    .addOption(url())
    .addOption(key())
    .action(async (name: string, options: RenderOptions) => {
      const { renderTemplate } = await import("./templates.ts");
      process.exitCode = await renderTemplate(name, options);
    });
}

function version(): Option {
  return new Option("--template-version <number>", "its version (default: the latest)").argParser(
    wholeNumber(1, MAX_INT32),
  );
}

function variable(): Option {
  return new Option(
    "--var <name=value>",
    "what a variable of it stands for; @file for what is in a file; may be given again",
  ).argParser(label);
}
