/** The commands about what was spent, with their options. What they do is loaded when one is called. */
import { Argument, type Command, Option } from "commander";
import { ago, dimensions, filter, wholeNumber } from "./argument.ts";
import { InputError } from "./input-error.ts";
import type { JsonOptions } from "./jobs.ts";
import { key, url } from "./option.ts";
import type { ListOptions } from "./requests.ts";
import type { UsageOptions } from "./usage.ts";

const ORDERS = [
  "cost",
  "adjusted",
  "requests",
  "errors",
  "attempts",
  "input_tokens",
  "output_tokens",
  "saved",
  "group",
];
const CHOOSING = ["since", "until", "where", "outcome", "failure", "limit"];
const WHAT = ["anomalies", "tips"] as const;

interface RequestsOptions extends ListOptions, JsonOptions {
  readonly text?: boolean;
  readonly deleteText?: boolean;
  readonly all?: boolean;
}

export function addUsageCommands(program: Command): void {
  about(program.command("usage").description("see what was spent, by anything that tells it apart"), "7d")
    .addArgument(
      new Argument("[what]", "what was out of the usual, or how to spend less, instead").choices(WHAT),
    )
    .option("--by <dimensions>", 'such as "model,tag:team"', dimensions, [])
    .addOption(new Option("--order-by <what>", "what to sort by").choices(ORDERS))
    .addOption(new Option("--csv", "print it as CSV").conflicts("json"))
    .action(async (what: (typeof WHAT)[number] | undefined, options: UsageOptions) => {
      if (what && (options.by.length > 0 || options.orderBy !== undefined || options.csv))
        throw new InputError("--by, --order-by and --csv are for what was spent, without anomalies or tips");
      const { printUsage } = await import("./usage.ts");
      const { printAnomalies, printTips } = await import("./spend-advice.ts");
      const print = { usage: printUsage, anomalies: printAnomalies, tips: printTips }[what ?? "usage"];
      process.exitCode = await print(options);
    });
  about(
    program.command("requests").description("list requests, or see one with all that was tried for it"),
    "1d",
  )
    .argument("[id]", "its request id or call id")
    .addOption(new Option("--outcome <outcome>", "only those").choices(["ok", "failed", "abandoned"]))
    .option("--failure <kind>", "only those that failed by this kind, such as rate_limited")
    .option("--limit <n>", "most requests", wholeNumber(1, 1_000), 50)
    .option("--text", "with what was said in it, where the gateway keeps that")
    .addOption(new Option("--delete-text", "delete what was said in it instead").conflicts("text"))
    .option("--all", "with --delete-text: what was said in every one")
    .action(async (id: string | undefined, options: RequestsOptions, command: Command) => {
      check(id, options, command);
      if (options.deleteText) {
        const { deleteTexts } = await import("./request-texts.ts");
        process.exitCode = await deleteTexts(id, options);
        return;
      }
      const { listRequests, printRequest } = await import("./requests.ts");
      process.exitCode = await (id === undefined ? listRequests(options) : printRequest(id, options));
    });
}

/** What would mean nothing is refused: above all what seems to choose the texts that are deleted. */
function check(id: string | undefined, { text, deleteText, all }: RequestsOptions, command: Command): void {
  if (text && id === undefined) throw new InputError("--text is for one request: give its id");
  if (all && !deleteText) throw new InputError("--all is for --delete-text");
  const choosing = CHOOSING.find((name) => command.getOptionValueSource(name) === "cli");
  if (deleteText && choosing !== undefined)
    throw new InputError(`--${choosing} chooses what is listed, not what --delete-text deletes`);
}

function about(command: Command, usual: string): Command {
  return command
    .addOption(
      new Option(
        "--since <time>",
        `since when: a span such as 7d, a day or a time (default: ${usual})`,
      ).argParser(ago),
    )
    .addOption(new Option("--until <time>", "until when (default: now)").argParser(ago))
    .option(
      "--where <name=value>",
      'only those, such as "model=gpt-4o" or "tag:team=search"; again for more',
      filter,
      {},
    )
    .option("--json", "print it as JSON", false)
    .addOption(url())
    .addOption(key());
}
