/** The commands that go through what was booked again, with their options. What they do is loaded when one is called. */
import { type Command, Option } from "commander";
import type { AdjustmentsOptions, BookOptions } from "./adjustments.ts";
import { ago, label, percent } from "./argument.ts";
import { InputError } from "./input-error.ts";
import { move } from "./moves.ts";
import { key, url } from "./option.ts";
import type { ReconcileOptions } from "./reconcile.ts";
import type { RepriceOptions } from "./reprice.ts";

const EXPORTERS = ["openai", "anthropic", "gemini", "vertex_ai", "mistral", "bedrock"];

export function addAuditCommands(program: Command, prices: Command): void {
  const reprice = prices.command("reprice").description("see what past calls cost by another catalog");
  about(reprice.requiredOption("--catalog <file>", "the catalog"))
    .option(
      "--book",
      "book the difference, beside what was booked at the time; hours that are over, from --since on",
    )
    .option("--reason <text>", "with --book: why, for those who read the books")
    .action(async ({ book, ...options }: BookOptions & { readonly book?: boolean }) => {
      if (!book && options.reason !== undefined) throw new InputError("--reason is for --book");
      if (!book) return run(options);
      const { bookAdjustments } = await import("./adjustments.ts");
      process.exitCode = await bookAdjustments(options);
    });
  about(
    prices.command("adjustments").description("list what was booked of the past by corrected prices"),
    "all",
  )
    .option("--provider <name>", "only of this provider")
    .option("--model <name>", "only of this model")
    .action(async (options: AdjustmentsOptions) => {
      const { listAdjustments } = await import("./adjustments.ts");
      process.exitCode = await listAdjustments(options);
    });
  const whatIf = prices.command("what-if").description("see what past calls cost at other models, about");
  about(
    whatIf
      .requiredOption(
        "--map <from=to>",
        'who is priced in whose place, such as "openai/gpt-4o=openai/gpt-4o-mini", or "all=..." for all chats; again for more',
        move,
      )
      .option("--catalog <file>", "the catalog (default: the gateway's)"),
  ).action(run);

  timed(program.command("reconcile").description("compare the ledger with what the provider says"))
    .addOption(
      new Option("--provider <provider>", "whose export it is").choices(EXPORTERS).makeOptionMandatory(),
    )
    .requiredOption(
      "--file <file>",
      "the export, CSV or JSON; again for more, such as usage and costs",
      gather,
    )
    .option("--as <name>", "what the gateway's configuration calls the provider")
    .addOption(
      new Option("--tolerance <percent>", "how much may differ").argParser(percent).default(0.01, "1%"),
    )
    .option(
      "--same <name=model>",
      "what the export calls a model, and what the ledger does; again for more",
      label,
      {},
    )
    .option("--json", "print it as JSON", false)
    .action(async (options: ReconcileOptions) => {
      const { reconcile } = await import("./reconcile.ts");
      process.exitCode = await reconcile(options);
    });
}

async function run(options: RepriceOptions): Promise<void> {
  const { reprice } = await import("./reprice.ts");
  process.exitCode = await reprice(options);
}

function about(command: Command, usual?: string): Command {
  return timed(command, usual)
    .option("--json", "print it as JSON", false)
    .addOption(new Option("--csv", "print it as CSV").conflicts("json"));
}

function timed(command: Command, usual = "30d"): Command {
  return command
    .addOption(
      new Option(
        "--since <time>",
        `since when: a span such as 7d, a day or a time (default: ${usual})`,
      ).argParser(ago),
    )
    .addOption(new Option("--until <time>", "until when").argParser(ago))
    .addOption(url())
    .addOption(key());
}

function gather(file: string, before: readonly string[] = []): string[] {
  return [...before, file];
}
