/** The commands of jobs, batches and webhooks, with their options. What they do is loaded when one is called. */
import { type Command, Option } from "commander";
import { httpUrl, label, moment, span, uuid, wholeNumber } from "./argument.ts";
import type { BatchOptions } from "./batch/run.ts";
import type { CallOptions } from "./call.ts";
import type { JobsListOptions, JsonOptions } from "./jobs.ts";
import { key, maxCost, timeout, url } from "./option.ts";
import type { SubmitOptions } from "./submit.ts";
import { templateOptions } from "./template-commands.ts";

const MAX_INT32 = 2_147_483_647;
const JOB_STATUS = ["pending", "running", "completed", "failed", "cancelled", "expired"];
const WEBHOOK_STATUS = ["pending", "delivered", "failed"];

export function addJobCommands(program: Command): void {
  addJobs(program.command("jobs").description("have models answer while nobody waits"));
  addBatch(program.command("batch").description("have models answer many questions from a file"));
  addWebhooks(program.command("webhooks").description("see how the ends of jobs were told"));
}

function addJobs(jobs: Command): void {
  const submitting = later(jobs.command("submit").description("submit a job and print its id"))
    .argument("[message]", 'what to say; "-" reads standard input')
    .option("--file <file>", 'the request as JSON; "-" reads standard input')
    .option("-m, --model <model>", 'who answers, such as "openai" or "openai/gpt-4o"', "")
    .option("--model-version <version>", "the provider's model, when --model names only the provider", "")
    .option("--system <text>", "a system message before yours")
    .option("--max-tokens <count>", "most tokens to write", wholeNumber(1, MAX_INT32))
    .addOption(maxCost())
    .addOption(timeout())
    .option("--metadata <name=value>", "a label; may be given again", label)
    .option("--idempotency-key <key>", "submits the job only once, however often the command is given")
    .option("-w, --wait", "print the answer as it comes, and what it cost", false)
    .option("-q, --quiet", "print the id alone", false)
    .option("--json", "print the job, or with --wait the reply, as JSON", false)
    .action(async (message: string | undefined, options: SubmitOptions) => {
      const { submit } = await import("./submit.ts");
      process.exitCode = await submit(message, options);
    });
  for (const option of templateOptions()) submitting.addOption(option);

  asked(jobs.command("list").description("list your jobs, the newest first"))
    .addOption(new Option("--status <status>", "only those with this status").choices(JOB_STATUS).default(""))
    .option("-m, --model <model>", "only those for this provider/model", "")
    .addOption(new Option("--batch <id>", "only those of this batch").argParser(uuid).default("", "any"))
    .option("--limit <count>", "most jobs to list", wholeNumber(1, 100_000), 50)
    .action(async (options: JobsListOptions) => {
      const { listJobs } = await import("./jobs.ts");
      process.exitCode = await listJobs(options);
    });

  one(jobs, "get", "tell what has become of a job", async (id, options) =>
    (await import("./jobs.ts")).getJob(id, options),
  );
  one(jobs, "result", "print the answer of a job, and what it cost", async (id, options) =>
    (await import("./jobs.ts")).printResult(id, options),
  );
  one(jobs, "watch", "print the answer of a job as it comes", async (id, options) =>
    (await import("./jobs.ts")).watch(id, options),
  );
  one(jobs, "cancel", "end a job", async (id, options) => (await import("./jobs.ts")).cancelJob(id, options));
}

function addBatch(batch: Command): void {
  later(batch.command("run").description("answer every line of a JSONL file; given again, it goes on"))
    .argument("<input>", "requests, one a line, as OpenAI's batches have them")
    .requiredOption("-o, --output <file>", "where the answers go, one a line; what is there is kept")
    .option("--provider <name>", "goes before every model that names no provider", "")
    .option("--extra-body", "hand on fields of a body that the gateway does not know", false)
    .option("--chunk <count>", "most requests in one batch", wholeNumber(1, 50_000), 5_000)
    .action(async (input: string, options: BatchOptions) => {
      const { runBatch } = await import("./batch/run.ts");
      process.exitCode = await runBatch(input, options);
    });
  one(batch, "status", "tell how far a batch has come", async (id, options) =>
    (await import("./batch/status.ts")).batchStatus(id, options),
  );
  one(batch, "cancel", "cancel every job of a batch that has not ended", async (id, options) =>
    (await import("./batch/status.ts")).cancelBatch(id, options),
  );
}

function addWebhooks(webhooks: Command): void {
  asked(webhooks.command("list").description("list your webhooks, the newest first"))
    .addOption(
      new Option("--status <status>", "only those with this status").choices(WEBHOOK_STATUS).default(""),
    )
    .option("--limit <count>", "most webhooks to list", wholeNumber(1, 1_000), 50)
    .action(async (options: JsonOptions & { status: string; limit: number }) => {
      const { listWebhooks } = await import("./webhooks.ts");
      process.exitCode = await listWebhooks(options);
    });
  one(webhooks, "get", "tell every try to deliver a webhook", async (id, options) =>
    (await import("./webhooks.ts")).getWebhook(id, options),
  );
  one(webhooks, "redeliver", "deliver a webhook once more", async (id, options) =>
    (await import("./webhooks.ts")).redeliverWebhook(id, options),
  );
}

function one(
  parent: Command,
  name: string,
  description: string,
  act: (id: string, options: JsonOptions) => Promise<number>,
): void {
  asked(parent.command(name).description(description))
    .argument("<id>", "its id", uuid)
    .action(async (id: string, options: JsonOptions) => {
      process.exitCode = await act(id, options);
    });
}

function asked(command: Command): Command {
  return command.option("--json", "print it as JSON", false).addOption(url()).addOption(key());
}

/** When, in which order and with what consequence work for later is done. */
function later(command: Command): Command {
  return command
    .option("--callback-url <url>", "where its end is told", httpUrl)
    .option("--priority <number>", "more goes first, from -100 to 100", wholeNumber(-100, 100))
    .option("--run-at <time>", "not before this time, such as 2026-01-31T18:00:00Z", moment)
    .option("--start-within <span>", "expires when it is not begun by then, such as 12h", span)
    .addOption(url())
    .addOption(key());
}

/** What `later` gives. */
export interface LaterOptions extends CallOptions {
  readonly callbackUrl?: string;
  readonly priority?: number;
  readonly runAt?: Date;
  readonly startWithin?: number;
}
