/** The commands of operators, with their options. What they do is loaded when one is called. */
import type { Command } from "commander";
import { circuitName, tag, wholeNumber } from "./argument.ts";
import type { ClearOptions, WarmOptions } from "./cache.ts";
import type { JsonOptions } from "./jobs.ts";
import { key, maxCost, url } from "./option.ts";

const MODES = [
  ["open", "open", "send nothing there"],
  ["close", "closed", "send everything there, whatever becomes of it"],
  ["auto", "automatic", "go by what becomes of calls again"],
] as const;

export function addAdminCommands(program: Command): void {
  addCircuits(program);
  addCache(program);
}

function addCircuits(program: Command): void {
  const circuits = program
    .command("circuits")
    .description("see whether calls are sent to providers and models, and set that by hand");
  asked(circuits.command("list", { isDefault: true }).description("list the circuits")).action(
    async (options: JsonOptions) => {
      const { listCircuits } = await import("./circuits.ts");
      process.exitCode = await listCircuits(options);
    },
  );
  for (const [name, mode, what] of MODES) {
    asked(circuits.command(name).description(what))
      .argument("<target>", 'a provider, or one of its models, such as "openai/gpt-4o"', circuitName)
      .action(async (target: ReturnType<typeof circuitName>, options: JsonOptions) => {
        const { setCircuit } = await import("./circuits.ts");
        process.exitCode = await setCircuit(target, mode, options);
      });
  }
}

function addCache(program: Command): void {
  const cache = program.command("cache").description("see what the gateway's cache holds, clear it, warm it");
  asked(
    cache.command("stats", { isDefault: true }).description("tell what it holds and what it saved"),
  ).action(async (options: JsonOptions) => {
    const { cacheStats } = await import("./cache.ts");
    process.exitCode = await cacheStats(options);
  });
  asked(cache.command("clear").description("let go of answers: those for which all of it holds"))
    .option("--tenant <name>", "those of this tenant", "")
    .option("-m, --model <model>", "those of this model or alias", "")
    .option("--tag <key=value>", "those whose request had it in its metadata", tag, "")
    .option("--all", "every answer", false)
    .option("--forget-requests", "forget the requests too that are remembered for warming", false)
    .action(async (options: ClearOptions) => {
      const { clearCache } = await import("./cache.ts");
      process.exitCode = await clearCache(options);
    });
  asked(
    cache
      .command("warm")
      .description("have requests answered and kept; the exit status is 1 when one failed"),
  )
    .option("--file <file>", 'the requests, a JSON object on each line; "-" reads standard input')
    .option("--most-frequent <count>", "those that were asked most often", wholeNumber(1, 10_000))
    .addOption(maxCost("most that all of them may cost together, in US dollars"))
    .option("--concurrency <count>", "how many at once", wholeNumber(1, 32), 4)
    .option("--tenant <name>", "whose cache it is, and who pays (default: the key's own)")
    .option("--scope <name>", "the keys' cache_scope whose cache it is (default: the key's own)")
    .option("--refresh", "make answers anew that there are already", false)
    .action(async (options: WarmOptions) => {
      const { warmCache } = await import("./cache.ts");
      process.exitCode = await warmCache(options);
    });
}

function asked(command: Command): Command {
  return command.option("--json", "print it as JSON", false).addOption(url()).addOption(key());
}
