/** The commands of circuits, with their options. What they do is loaded when one is called. */
import type { Command } from "commander";
import { circuitName } from "./argument.ts";
import type { CircuitName, CircuitsOptions } from "./circuits.ts";
import { key, url } from "./option.ts";

const ACTIONS = [
  ["open", "open", "send nothing to a provider or a model"],
  ["close", "closed", "send everything there, whatever becomes of it"],
  ["auto", "automatic", "leave it to itself again"],
] as const;

export function addCircuitCommands(program: Command): void {
  const circuits = program
    .command("circuits")
    .description("see and set which providers and models are left alone, since they fail");
  asked(circuits.command("list", { isDefault: true }).description("list the circuits")).action(
    async (options: CircuitsOptions) => {
      const { listCircuits } = await import("./circuits.ts");
      process.exitCode = await listCircuits(options);
    },
  );
  for (const [name, mode, description] of ACTIONS) {
    asked(circuits.command(name).description(description))
      .argument("<provider[/model]>", "whose circuit, such as openai or openai/gpt-4o", circuitName)
      .action(async (circuit: CircuitName, options: CircuitsOptions) => {
        const { setCircuit } = await import("./circuits.ts");
        process.exitCode = await setCircuit(circuit, mode, options);
      });
  }
}

function asked(command: Command): Command {
  return command.option("--json", "print it as JSON", false).addOption(url()).addOption(key());
}
