/** The commands of operators, with their options. What they do is loaded when one is called. */
import type { Command } from "commander";
import { circuitName } from "./argument.ts";
import type { JsonOptions } from "./jobs.ts";
import { key, url } from "./option.ts";

const MODES = [
  ["open", "open", "send nothing there"],
  ["close", "closed", "send everything there, whatever becomes of it"],
  ["auto", "automatic", "go by what becomes of calls again"],
] as const;

export function addAdminCommands(program: Command): void {
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

function asked(command: Command): Command {
  return command.option("--json", "print it as JSON", false).addOption(url()).addOption(key());
}
