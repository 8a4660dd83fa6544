/** `llmgateway jobs`: what it sends, prints and waits for. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { start } from "../../support/command.ts";
import { JobServer } from "../../support/job-server.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-jobs-"));
afterAll(() => rmSync(folder, { recursive: true }));

const jobs = (server: JobServer, ...args: string[]) => start("jobs", ...args, "--url", server.url);

describe("jobs submit", () => {
  it("sends what its options say, and prints the id first", async () => {
    await using server = await JobServer.start();
    const options = [
      ...["--model", "mock", "--system", "Be brief", "--max-tokens", "5", "--max-cost", "0.5"],
      ...[
        "--callback-url",
        "https://example.com/hook",
        "--priority",
        "-3",
        "--metadata",
        "a=1",
        "--metadata",
      ],
      ...["b=x=y", "--run-at", "2026-01-31T18:00:00Z", "--start-within", "2h", "--idempotency-key", "mine"],
    ];
    const { status, stdout } = await jobs(server, "submit", "Hello", ...options).end();
    expect(stdout).toBe(`${server.onlyId}  pending  mock\n`);
    expect(status).toBe(0);
    expect(server.submissions).toMatchObject([
      {
        messages: [
          { role: "system", content: "Be brief" },
          { role: "user", content: "Hello" },
        ],
        model: "mock",
        parameters: { maxTokens: 5 },
        maxCostUsd: 0.5,
        callbackUrl: "https://example.com/hook",
        priority: -3,
        metadata: { a: "1", b: "x=y" },
        runAt: { seconds: BigInt(Date.parse("2026-01-31T18:00:00Z") / 1_000) },
        startWithinMs: 7_200_000n,
        idempotencyKey: "mine",
      },
    ]);
    const quiet = await jobs(server, "submit", "Hello", "-q", "--idempotency-key", "mine").end();
    expect(quiet.stdout).toBe(`${server.onlyId}\n`);
  });

  it("takes a request from a file, and the options before it", async () => {
    await using server = await JobServer.start();
    const file = join(folder, "request.json");
    const messages = [{ role: "user", content: "From a file" }];
    writeFileSync(file, JSON.stringify({ messages, model: "one", parameters: { seed: 1 }, priority: 2 }));
    const options = ["--file", file, "--model", "two", "--max-tokens", "3", "--json"];
    const { stdout } = await jobs(server, "submit", ...options).end();
    expect(JSON.parse(stdout)).toMatchObject({ job_id: server.onlyId, status: "pending", priority: 2 });
    expect(server.submissions[0]).toMatchObject({ model: "two", parameters: { seed: 1n, maxTokens: 3 } });
    await jobs(server, "submit", "--file", file, "--model-version", "three").end();
    expect(server.submissions[1]).toMatchObject({ model: "one", modelVersion: "three" });
  });

  it.each([
    ["neither a message nor a file", [], "give the message or --template, or a request by --file"],
    ["a file that is none", ["--file", "nowhere.json"], "nowhere.json: ENOENT"],
    [
      "a value beside a file",
      ["--file", "any.json", "--var", "a=b"],
      "--var and --template-version: write them",
    ],
    ["a time that is none", ["Hello", "--run-at", "soon"], "It must be a time"],
    ["a span that is none", ["Hello", "--start-within", "long"], "It must be a span of time"],
    ["a priority that is none", ["Hello", "--priority", "101"], "It must be a whole number from -100 to 100"],
    ["a label that is none", ["Hello", "--metadata", "x"], "It must be a name and a value"],
  ])("refuses %s", async (_, args, words) => {
    await using server = await JobServer.start();
    const { status, stderr } = await jobs(server, "submit", ...args).end();
    expect(stderr).toContain(words);
    expect(stderr).not.toContain("    at ");
    expect({ status, calls: server.calls }).toEqual({ status: 1, calls: [] });
  });

  it("waits for the answer, and prints it as it comes", async () => {
    await using server = await JobServer.start();
    const run = jobs(server, "submit", "Hello", "--wait");
    await server.called("WatchJob", 1);
    const id = server.onlyId;
    server.run(id);
    server.say(id, "One ");
    await run.until(({ stdout }) => stdout === `${id}\nOne `);
    server.breakConnections();
    server.say(id, "two");
    server.end(id, "completed");
    const { status, stdout, stderr } = await run.end();
    expect(stdout).toBe(`${id}\nOne two\n`);
    expect(stderr).toMatch(/^pending\nrunning\ncompleted\nmock\/m · /);
    expect(status).toBe(0);
  });
});

describe("Ctrl-C", () => {
  it.each(["submit", "watch"])(
    "leaves a job to itself that %s waits for, and says how to end it",
    async (how) => {
      await using server = await JobServer.start();
      if (how === "watch") await jobs(server, "submit", "Hello").end();
      const run =
        how === "watch" ? jobs(server, "watch", server.onlyId) : jobs(server, "submit", "Hello", "--wait");
      await server.called("WatchJob", 1);
      server.run(server.onlyId);
      server.say(server.onlyId, "One ");
      await run.until(({ stdout }) => stdout.endsWith("One "));
      run.child.kill("SIGINT");
      const { status, stderr } = await run.end();
      expect(stderr).toContain(`\nthe job goes on; to end it: llmgateway jobs cancel ${server.onlyId}\n`);
      expect(stderr).not.toContain("aborted");
      expect(status).toBe(130);
      expect(server.calls).not.toContain("CancelJob");
    },
  );
});

describe("of a job that there is", () => {
  it("tells its status and its answer, and cancels it", async () => {
    await using server = await JobServer.start();
    await jobs(server, "submit", "Hello", "--model", "mock").end();
    const id = server.onlyId;
    expect((await jobs(server, "get", id).end()).stdout).toMatch(/^job +\S+\nstatus +pending\nmodel +mock\n/);
    const early = await jobs(server, "result", id).end();
    expect(early.stderr).toContain("kind job_not_ended");
    expect(early.status).toBe(1);
    const list = await jobs(server, "list").end();
    expect(list.stdout).toMatch(/^JOB +STATUS +MODEL .*\n[0-9a-f-]{36} +pending +mock +\d{4}-/);
    expect(JSON.parse((await jobs(server, "cancel", id, "--json").end()).stdout).status).toBe("cancelled");
    const watched = await jobs(server, "watch", id).end();
    expect(watched.stderr).toMatch(/^cancelled\nerror: .*\n.*kind job_cancelled/);
    expect(watched.status).toBe(1);
  });

  it("prints the answer", async () => {
    await using server = await JobServer.start();
    await jobs(server, "submit", "Hello").end();
    server.run(server.onlyId);
    server.say(server.onlyId, "One");
    server.end(server.onlyId, "completed");
    for (const name of ["result", "watch"]) {
      const { status, stdout } = await jobs(server, name, server.onlyId).end();
      expect({ status, stdout }).toEqual({ status: 0, stdout: "One\n" });
    }
    expect(JSON.parse((await jobs(server, "result", server.onlyId, "--json").end()).stdout).response).toBe(
      "One",
    );
  });

  it("refuses an id that is none", async () => {
    await using server = await JobServer.start();
    expect((await jobs(server, "get", "7").end()).stderr).toContain("It must be an id");
  });
});
