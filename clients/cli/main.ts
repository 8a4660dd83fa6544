#!/usr/bin/env node
/** The command line: serve, chat, embed, templates, jobs, batch, webhooks, circuits, cache, emulate, prices, demo. Each is loaded when it is called: a chat need not wait for a server. */
import { Command, Option } from "commander";
import { ConfigError } from "../../src/config/error.ts";
import { messageOf } from "../../src/core/message.ts";
import { CHAOS_PROFILES } from "../../src/emulator/fault.ts";
import { VERSION } from "../../src/version.ts";
import { addAdminCommands } from "./admin-commands.ts";
import { day, directives, list, share, span, wholeNumber } from "./argument.ts";
import { addAuditCommands } from "./audit-commands.ts";
import type { ChatOptions } from "./chat.ts";
import type { EmbedOptions } from "./embed.ts";
import type { EmulateOptions } from "./emulate.ts";
import { InputError } from "./input-error.ts";
import { addJobCommands } from "./job-commands.ts";
import { key, maxCost, timeout, url } from "./option.ts";
import type { ImportOptions, PricesOptions } from "./prices.ts";
import { addTemplateCommands, templateOptions } from "./template-commands.ts";
import { addUsageCommands } from "./usage-commands.ts";

const MAX_INT32 = 2_147_483_647;
/** What shells expect of a program whose reader left. */
const READER_LEFT = 141;
/** What fails where there is no such address or it is taken. */
const TO_LISTEN = ["listen", "getaddrinfo"];

// Whoever reads no further, such as `head`, has what was wanted; a call that is under way ends with the process.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(READER_LEFT);
});

const program = new Command("llmgateway")
  .description("One address for every model call that you pay for.")
  .version(VERSION)
  .showHelpAfterError("(--help lists the options)");

program
  .command("serve")
  .description("serve the gateway; configured by LLMGATEWAY_CONFIG and the variables in .env.example")
  .action(async () => {
    const { serve } = await import("../../src/main.ts");
    await serve();
  });

const chatting = program
  .command("chat")
  .description("send one message and print the answer and what it cost")
  .argument("[message]", 'what to say; "-" reads standard input; may be left out with --template')
  .option("-m, --model <model>", 'who answers, such as "openai" or "openai/gpt-4o"', "")
  .option("--model-version <version>", "the provider's model, when --model names only the provider", "")
  .option("-s, --stream", "print the answer as it comes", false)
  .option("--compare <models>", "ask several models at once, such as openai/gpt-4o,claude", list)
  .option("--policy <name>", "the routing policy by which to choose who answers")
  .option("--low-cost", "choose the cheapest of those who could answer")
  .option("--task <type>", 'what it is about, such as "summarization", for the router to choose by')
  .option("--fallback <chain>", 'who is asked when that fails: a chain of the configuration, or "none"')
  .option("--session <id>", "the conversation that it belongs to; its calls stay at one target")
  .option("--dry-run", "print who would answer and about what it would cost, and ask nobody", false)
  .addOption(
    new Option(
      "--cache <use>",
      "what the gateway's cache may do: answer, be renewed, nothing, or answer alone",
    ).choices(["use", "refresh", "bypass", "only"]),
  )
  .option("--cache-ttl <span>", "the longest that the answer may be kept, such as 60s", span)
  .option("--sensitive", "have no cache keep any of it")
  .option("--system <text>", "a system message before yours")
  .option("--max-tokens <count>", "most tokens to write", wholeNumber(1, MAX_INT32))
  .addOption(maxCost())
  .addOption(timeout())
  .option("--idempotency-key <key>", "makes the call only once, however often the command is given")
  .option("--json", "print the reply, or each event, as JSON", false)
  .addOption(url())
  .addOption(key())
  .action(async (message: string | undefined, options: ChatOptions) => {
    const { chat } = await import("./chat.ts");
    process.exitCode = await chat(message, options);
  });
for (const option of templateOptions()) chatting.addOption(option);

program
  .command("embed")
  .description("make a vector of each text and print its length and what they cost")
  .argument("<text...>", 'what to embed; "-" reads standard input')
  .option("-m, --model <model>", 'who does it, such as "openai" or "openai/text-embedding-3-small"', "")
  .option("--model-version <version>", "the provider's model, when --model names only the provider", "")
  .option("--dimensions <count>", "how long the vectors shall be", wholeNumber(1, 65_536))
  .option("--input-type <type>", 'what they are for, such as "query" or "document"', "")
  .addOption(maxCost())
  .addOption(timeout())
  .option("--json", "print the reply with the vectors as JSON", false)
  .addOption(url())
  .addOption(key())
  .action(async (texts: string[], options: EmbedOptions) => {
    const { embed } = await import("./embed.ts");
    process.exitCode = await embed(texts, options);
  });

addTemplateCommands(program);
addJobCommands(program);
addAdminCommands(program);
addUsageCommands(program);

program
  .command("emulate")
  .description("serve an emulator of the providers' APIs")
  .option("--host <host>", "address to bind", "127.0.0.1")
  .option("-p, --port <port>", "TCP port; 0 lets the system choose", wholeNumber(0, 65_535), 9090)
  .option("--seed <number>", "decides what is answered", wholeNumber(0, MAX_INT32), 1)
  .option("--chaos <share>", "share of requests that fail at random, 0 to 1", share, 0)
  .addOption(
    new Option("--profile <name>", "what fails then: everything, or what refuses, slows or breaks an answer")
      .choices(CHAOS_PROFILES)
      .default("all"),
  )
  .option("--fault <directives>", 'what fails then instead, such as "status=429 retry_after=2"', directives)
  .option("--first-token-ms <ms>", "milliseconds before an answer's first word", wholeNumber(0, 3_600_000), 0)
  .option("--pace-ms <ms>", "milliseconds between two words of a stream", wholeNumber(0, 60_000), 0)
  .option("--batch-ms <ms>", "milliseconds that each request in a batch takes", wholeNumber(0, 86_400_000), 0)
  .action(async (options: EmulateOptions) => {
    const { emulate } = await import("./emulate.ts");
    await emulate(options);
  });

const prices = program.command("prices").description("look after the price catalog");

prices
  .command("check")
  .description("say what is wrong with it; the exit status is 1 when something is")
  .addOption(catalog())
  .option("--reference <file>", "LiteLLM's table, by path or URL, to compare with")
  .addOption(today())
  .action(async (options: PricesOptions) => {
    const { checkPrices } = await import("./prices.ts");
    process.exitCode = await checkPrices(options);
  });

prices
  .command("diff")
  .description("show how LiteLLM's table differs from it")
  .addOption(catalog())
  .addOption(reference())
  .addOption(today())
  .action(async (options: PricesOptions) => {
    const { diffPrices } = await import("./prices.ts");
    process.exitCode = await diffPrices(options);
  });

prices
  .command("import")
  .description("take over what LiteLLM's table has, as a new version")
  .addOption(catalog())
  .addOption(reference())
  .option("--out <file>", "where it goes (default: in place of the old one)")
  .addOption(today())
  .action(async (options: ImportOptions) => {
    const { importPrices } = await import("./prices.ts");
    process.exitCode = await importPrices(options);
  });

addAuditCommands(program, prices);

program
  .command("demo")
  .description("show the gateway with an emulated provider, then serve both")
  .action(async () => {
    const { demo } = await import("./demo.ts");
    process.exitCode = await demo();
  });

// As the gateway has it, a variable that is empty is unset.
for (const name of ["LLMGATEWAY_URL", "LLMGATEWAY_API_KEY", "PRICE_CATALOG_PATH"])
  if (process.env[name] === "") delete process.env[name];

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function catalog(): Option {
  return new Option("--file <file>", "the catalog (default: the one that comes with the gateway)").env(
    "PRICE_CATALOG_PATH",
  );
}

function reference(): Option {
  return new Option("--reference <file>", "LiteLLM's table, by path or URL (default: its newest state)");
}

function today(): Option {
  return new Option("--date <date>", "the day that counts as today")
    .argParser(day)
    .default(new Date().toISOString().slice(0, 10), "today");
}

/** What an operator can mend, without the stack; anything else is a defect and keeps it. */
function report(error: unknown): number {
  const isConfig = error instanceof ConfigError;
  const isMended = isConfig || error instanceof InputError;
  const { syscall = "" } = error as NodeJS.ErrnoException;
  if (!isMended && !TO_LISTEN.includes(syscall)) throw error;
  process.stderr.write(`${messageOf(error)}\n`);
  return isConfig ? 2 : 1;
}
