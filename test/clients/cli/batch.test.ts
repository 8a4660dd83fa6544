/** `llmgateway batch run`: nothing is sent or answered twice, whatever interrupts it. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { start } from "../../support/command.ts";
import { JobServer } from "../../support/job-server.ts";

const folder = mkdtempSync(join(tmpdir(), "llmgateway-batch-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;

/** An input of these questions, and where its answers go. */
function inputOf(...questions: string[]) {
  const name = join(folder, String(++files));
  const lines = questions.map((content, index) =>
    JSON.stringify({
      custom_id: `q${index}`,
      method: "POST",
      url: "/v1/chat/completions",
      body: { model: "gpt-4o", messages: [{ role: "user", content }] },
    }),
  );
  writeFileSync(`${name}.in`, `${lines.join("\n")}\n`);
  return { input: `${name}.in`, output: `${name}.out` };
}

function run(server: { url: string }, { input, output }: ReturnType<typeof inputOf>, ...options: string[]) {
  return start("batch", "run", input, "-o", output, "--url", server.url, ...options);
}

function answersIn({ output }: { output: string }) {
  const lines = readFileSync(output, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

describe("batch run", () => {
  it("writes a line for each request, as OpenAI does, with what it cost", async () => {
    await using server = await JobServer.start();
    const files = inputOf("One", "fail", "two");
    const { status, stdout, stderr } = await run(server, files, "--provider", "openai").end();
    expect(stderr).toContain("2 answered, 1 failed, $0.000002\n");
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    const [batch] = server.batches.values();
    expect(batch?.items.map(({ request }) => request?.model)).toEqual(Array(3).fill("openai/gpt-4o"));
    expect(answersIn(files)).toMatchObject([
      {
        custom_id: "q0",
        error: null,
        response: {
          status_code: 200,
          body: {
            object: "chat.completion",
            model: "m",
            choices: [{ index: 0, message: { role: "assistant", content: "One" }, finish_reason: "stop" }],
            usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
            llmgateway: { cost_usd: 0.000001, cost_pico_usd: "1000000", provider: "mock" },
          },
        },
      },
      {
        custom_id: "q1",
        response: null,
        error: { code: "cut", message: "it broke" },
        llmgateway: { cost_pico_usd: "0" },
      },
      { custom_id: "q2", response: { body: { choices: [{ message: { content: "two" } }] } } },
    ]);
  });

  it("sends chunks, and goes on after it was killed, with a line half written", async () => {
    await using server = await JobServer.start();
    const files = inputOf("a", "b", "c", "d", "e", "f", "g");
    server.released = 2;
    const killed = run(server, files, "--chunk", "5");
    // The second chunk is short enough to end; of the first, two have.
    await expect
      .poll(() => server.calls.filter((call) => call === "ListBatchResults").length, { timeout: 9_000 })
      .toBeGreaterThan(3);
    killed.child.kill("SIGKILL");
    await killed.end();
    expect(
      answersIn(files)
        .map(({ custom_id }) => custom_id)
        .sort(),
    ).toEqual(["q0", "q1", "q5", "q6"]);
    appendFileSync(files.output, '{"id":"half","custom_id":"q2","resp');
    server.released = Number.POSITIVE_INFINITY;
    server.failing.push("ListBatchResults");
    const { status, stderr } = await run(server, files, "--chunk", "5").end();
    expect(stderr).toContain("7 answered, 0 failed, $0.000007\n");
    expect(status).toBe(0);
    expect(
      answersIn(files)
        .map(({ custom_id }) => custom_id)
        .sort(),
    ).toEqual(Array.from({ length: 7 }, (_, index) => `q${index}`));
    expect([...server.batches.values()].map(({ items }) => items.length)).toEqual([5, 2]);
    expect(server.calls.filter((call) => call === "SubmitBatch")).toHaveLength(2);
  });

  it("submits under the same key when its state is lost, and writes no answer twice", async () => {
    await using server = await JobServer.start();
    const files = inputOf("a", "b", "c");
    expect((await run(server, files).end()).status).toBe(0);
    const before = readFileSync(files.output, "utf8");
    rmSync(`${files.output}.state`);
    expect((await run(server, files).end()).status).toBe(0);
    expect(server.batches.size).toBe(1);
    expect(readFileSync(files.output, "utf8")).toBe(before);
  });

  it("says on Ctrl-C how to go on, and how to end what goes on", async () => {
    await using server = await JobServer.start();
    server.released = 1;
    const files = inputOf("a", "b");
    const interrupted = run(server, files);
    await server.called("ListBatchResults", 2);
    interrupted.child.kill("SIGINT");
    const { status, stderr } = await interrupted.end();
    expect(stderr).toMatch(/interrupted after 1, \$0\.000001; give the command again to go on\n/);
    expect(stderr).toMatch(/llmgateway batch cancel [0-9a-f-]{36}\n/);
    expect(status).toBe(130);
  });

  it("refuses an output of another input", async () => {
    await using server = await JobServer.start();
    const one = inputOf("a");
    await run(server, one).end();
    const other = { ...inputOf("b"), output: one.output };
    const { status, stderr } = await run(server, other).end();
    expect(stderr).toMatch(/\.state: is of another input or of other options/);
    expect(status).toBe(1);
  });

  it("refuses an output that is no place for answers, and leaves it as it is", async () => {
    await using server = await JobServer.start();
    const { input } = inputOf("One");
    const whole = readFileSync(input, "utf8").trimEnd();
    writeFileSync(input, whole);
    const copy = `${input}.copy`;
    writeFileSync(copy, `${whole}\n`);
    const cases: [output: string, expected: string][] = [
      [input, "is the input itself; give another --output"],
      [copy, ":1: answers no request of the input"],
      [folder, ": EISDIR"],
      [join(folder, "nowhere", "out"), ": ENOENT: no such file or directory, open"],
    ];
    for (const [output, expected] of cases) {
      const { status, stderr } = await run(server, { input, output }).end();
      expect(stderr).toContain(expected);
      expect(stderr).not.toContain("    at ");
      expect(status).toBe(1);
    }
    expect(server.calls).toEqual([]);
    expect([input, copy].map((path) => readFileSync(path, "utf8"))).toEqual([whole, `${whole}\n`]);
  });

  it("names every line that is wrong, and sends nothing", async () => {
    await using server = await JobServer.start();
    const files = inputOf("a");
    const messages = [{ role: "user", content: "a" }];
    const wrong = [
      "{",
      JSON.stringify({ custom_id: "q0", body: { messages } }),
      JSON.stringify({ custom_id: "x", body: { messages, logprobs: true } }),
      JSON.stringify({ custom_id: "y", url: "/v1/embeddings", body: {} }),
      JSON.stringify({ custom_id: "z", request: { messages, modle: "m" } }),
    ];
    appendFileSync(files.input, `${wrong.join("\n")}\n`);
    const { status, stderr } = await run(server, files).end();
    expect(stderr).toMatch(/\.in:2: .*JSON/);
    expect(stderr).toContain('.in:3: custom_id: "q0" is there already');
    expect(stderr).toContain(".in:4: logprobs: the gateway does not know it; --extra-body hands it on");
    expect(stderr).toContain(".in:5: url: only POST /v1/chat/completions");
    expect(stderr).toMatch(/\.in:6: .*modle/);
    expect({ status, calls: server.calls }).toEqual({ status: 1, calls: [] });
  });
});
