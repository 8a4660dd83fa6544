/** The command line as its users have it: child processes with their output, exit status and signals. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeReceipt } from "../clients/cli/describe.ts";
import { ReceiptSchema } from "../gen/ts/llmgateway/v1/receipt_pb.ts";
import { type Run, start } from "./support/command.ts";
import { type GatewayUnderTest, startBoth } from "./support/gateway.ts";
import { hasRedis, startRedis } from "./support/redis.ts";

const KEY = "key-of-the-tests";

let open: GatewayUnderTest;
let locked: GatewayUnderTest;

beforeAll(async () => {
  open = await startBoth();
  const sha256 = createHash("sha256").update(KEY).digest("hex");
  locked = await startBoth({ server: { host: "127.0.0.1" }, auth: { keys: [{ name: "tests", sha256 }] } });
});
afterAll(async () => {
  await open[Symbol.asyncDispose]();
  await locked[Symbol.asyncDispose]();
});

describe("chat", () => {
  it("prints the answer to standard output and the cost to standard error", async () => {
    const { status, stdout, stderr } = await chat("Hello", "--model", "openai", "--model-version", "gpt-4o");
    expect(stdout).toMatch(/^This is the answer to "Hello"\. .+\n$/);
    expect(stderr).toMatch(
      /^openai\/gpt-4o · 8 in \+ \d+ out tokens · \$0\.\d+ \(measured\) · request \S+\n$/,
    );
    expect(status).toBe(0);
  });

  it("prints a stream as it comes, and what it cost", async () => {
    const run = start("chat", "[[emulate: interval_ms=20]] Hello", "--stream", "--url", open.url);
    await run.until(({ stdout }) => stdout.startsWith("This is"));
    expect(run.child.exitCode).toBeNull();
    const { status, stdout, stderr } = await run.end();
    expect(stdout).toMatch(/^This is the answer to .+\n$/);
    expect(stderr).toMatch(/^openai\/gpt-4o · .+ · \$0\.\d+ \(measured\)/);
    expect(status).toBe(0);
  });

  it("is made once under a key, however often it is given", async () => {
    const key = ["--idempotency-key", "once", "--json"];
    const first = JSON.parse((await chat("Hello", ...key)).stdout);
    const again = JSON.parse((await chat("Hello", ...key)).stdout);
    expect(again).toMatchObject({ response: first.response, cache_kind: "idempotent" });
    const { status, stderr } = await chat("Something else", ...key);
    expect(stderr).toContain("kind idempotency_conflict");
    expect(status).toBe(1);
  });

  it("prints the reply as JSON", async () => {
    const { status, stdout, stderr } = await chat("Hello", "--json");
    const reply = JSON.parse(stdout);
    expect(reply).toMatchObject({
      finish_reason: "stop",
      provider: "openai",
      cost: { provenance: "measured" },
    });
    expect(reply.cost.actual_usd).toBeGreaterThan(0);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("prints each event of a stream as a line of JSON", async () => {
    const { status, stdout } = await chat("Hello", "--stream", "--json");
    const events = stdout.trim().split("\n");
    expect(JSON.parse(events[0] ?? "").token).toBe("This");
    expect(JSON.parse(events.at(-1) ?? "")).toMatchObject({ done: true, receipt: { provider: "openai" } });
    expect(status).toBe(0);
  });

  it("reads the message from standard input", async () => {
    const run = start("chat", "-", "--url", open.url);
    run.child.stdin?.end("From a pipe");
    expect((await run.end()).stdout).toContain('"From a pipe"');
  });

  it("passes on what its options say", async () => {
    const { stdout } = await chat("Hello", "--max-tokens", "3", "--system", "Be brief", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ finish_reason: "length", cost: { output_tokens: 3 } });
    const { stderr } = await chat("Hello", "--max-cost", "0.0000001");
    expect(stderr).toContain("kind budget_exceeded");
    const late = await chat("[[emulate: hang=1]]", "--timeout", "50");
    expect(late.stderr).toContain("kind deadline_exceeded");
  });

  it("sends the key, from the option or the environment", async () => {
    const args = ["chat", "Hello", "--url", locked.url];
    expect((await start(...args, "--key", KEY).end()).status).toBe(0);
    expect((await start({ LLMGATEWAY_API_KEY: KEY }, ...args).end()).status).toBe(0);
  });
});

describe("chat says what is wrong", () => {
  it.each([
    [
      "no gateway",
      ["--url", "http://127.0.0.1:1"],
      /no gateway answers at http:\/\/127\.0\.0\.1:1 .*llmgateway serve/,
    ],
    ["an unknown provider", ["--model", "nope/x"], /there is no provider "nope"[\s\S]*kind unknown_model/],
    ["an unknown model", ["--model", "nope"], /"nope" is neither a provider[\s\S]*kind unknown_model/],
    ["a URL that is none", ["--url", "nonsense"], /'--url <url>' .* must be a URL/],
    [
      "a URL with a password",
      ["--url", "http://me:mine@127.0.0.1:1"],
      /must be a URL .*, without a password/,
    ],
    ["a count that is none", ["--max-tokens", "many"], /'--max-tokens <count>' .* must be a whole number/],
    ["a cost that is none", ["--max-cost", "-1"], /'--max-cost <usd>' .* must be an amount of dollars/],
    ["an option that is none", ["--modle", "x"], /unknown option '--modle'/],
  ])("%s", async (_, args, words) => {
    const { status, stdout, stderr } = await chat("Hello", ...args);
    expect(stderr).toMatch(words);
    expect(stderr).not.toContain("    at ");
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  });

  it("a wrong key, which is not repeated", async () => {
    for (const key of ["sk-wrong", "two words"]) {
      const { status, stderr } = await chat("Hello", "--url", locked.url, "--key", key);
      expect(stderr).toMatch(/^error: the API key (is not known|must be printable ASCII without spaces)\n/);
      expect(stderr).not.toContain(key);
      expect(status).toBe(1);
    }
  });

  it("a failure of the provider, with its cost and when to try again", async () => {
    const refused = await chat("[[emulate: status=429 retry_after=2]]");
    expect(refused.stderr).toMatch(/kind provider_rate_limited\n {2}worth trying again in 2 s\n.*\$0\.00 /);
    const cut = await chat("[[emulate: cut=3]] Hello", "--stream");
    expect(cut.stdout).toBe("This is the\n");
    expect(cut.stderr).toMatch(/kind cut\n.* \d+ out tokens · \$0\.\d+ \(estimated\)/);
    expect([refused.status, cut.status]).toEqual([1, 1]);
  });
});

describe("chat says by what the router chooses", () => {
  const routeBy = async (...args: string[]) => {
    const { stdout, stderr } = await chat("Hello", "--dry-run", "--json", ...args);
    return stderr || JSON.parse(stdout).route;
  };

  it.each([
    [["--low-cost"], { policy: "low_cost", name: "low_cost" }],
    [["--policy", "low_cost"], { policy: "low_cost", name: "low_cost" }],
    [["--task", "text_generation"], { policy: "task_type", name: "text_generation" }],
  ])("%j", async (args, route) => {
    expect(await routeBy(...args)).toMatchObject(route);
  });

  it("and who follows, and to which conversation it belongs", async () => {
    expect(await routeBy("--fallback", "nobody_knows")).toContain(
      'there is no chain "nobody_knows"; none is configured; "none" wants nobody',
    );
    expect(await routeBy("--fallback", "none")).toMatchObject({ policy: "default" });
    const { stderr } = await chat("Hello", "--dry-run", "--session", "x".repeat(300));
    expect(stderr).toContain("session_id");
  });
});

describe("chat --dry-run", () => {
  it("prints who would answer, why, and about what it would cost, and asks nobody", async () => {
    const asked = open.emulator.meter.requests.length;
    const { status, stdout, stderr } = await chat("Hello", "--model", "openai/gpt-4o", "--dry-run");
    expect(stdout).toMatch(
      /^target +openai\/gpt-4o\nbecause +the request names it\nabout to cost +\$0\.00\d+\nbetween +\$0\.0+\d+ and \$0\.1\d+\ninput tokens +8\noutput tokens +about \d+, at most 16384\nprices +\S+\n$/,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(open.emulator.meter.requests).toHaveLength(asked);
  });

  it("prints what it would be refused for", async () => {
    const { status, stdout } = await chat("Hello", "--dry-run", "--max-cost", "0.000000001");
    expect(stdout).toMatch(/\nrefused +budget_exceeded: max_cost_usd affords no reply/);
    expect(status).toBe(0);
  });

  it("prints what money lowers the answer to", async () => {
    const { stdout } = await chat("Hello", "--dry-run", "--max-cost", "0.001");
    expect(stdout).toMatch(/\nmax_tokens +lowered to \d+, for want of money\n/);
  });

  it("prints it as JSON", async () => {
    const { status, stdout } = await chat("Hello", "--dry-run", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      provider: "openai",
      model: "gpt-4o",
      route: { policy: "default" },
      input_tokens: 8,
    });
    expect(status).toBe(0);
  });
});

it("says of a cost when the price of its service tier is assumed", () => {
  const target = { provider: "openai", model: "gpt-4o", requestId: "1f" };
  const cost = { inputTokens: 9, outputTokens: 24, actualUsd: 0.0002625, provenance: "estimated" };
  const described = (...assumed: boolean[]) => {
    const attempts = assumed.map((priceAssumed) => ({ priceAssumed }));
    return describeReceipt(create(ReceiptSchema, { ...target, cost, attempts }));
  };
  const start = "openai/gpt-4o · 9 in + 24 out tokens · $0.0002625 (estimated";
  expect(described(false, true)).toBe(`${start}, price assumed) · request 1f`);
  expect(described(false)).toBe(`${start}) · request 1f`);
});

describe("embed", () => {
  const embed = (...args: string[]) => start("embed", ...args, "--url", open.url).end();

  it("prints how long the vectors are to standard output and the cost to standard error", async () => {
    const { status, stdout, stderr } = await embed("Hello", "Hello, world", "--model", "openai");
    expect(stdout).toBe("1536 dimensions\n1536 dimensions\n");
    expect(stderr).toMatch(
      /^openai\/text-embedding-3-small · \d+ in \+ 0 out tokens · \$0\.\d+ \(measured\) · request \S+\n$/,
    );
    expect(status).toBe(0);
  });

  it("prints the vectors as JSON, as its options say", async () => {
    const { status, stdout, stderr } = await embed(
      ...[
        "Hello",
        "--model",
        "mock",
        "--model-version",
        "mine",
        "--dimensions",
        "3",
        "--input-type",
        "query",
      ],
      "--json",
    );
    expect(JSON.parse(stdout)).toMatchObject({
      embeddings: [{ index: 0, values: [expect.any(Number), expect.any(Number), expect.any(Number)] }],
      model: "mine",
      dropped: ["input_type"],
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("reads a text from standard input", async () => {
    const run = start("embed", "-", "--model", "mock", "--json", "--url", open.url);
    run.child.stdin?.end("Two words");
    expect(JSON.parse((await run.end()).stdout).cost).toMatchObject({ input_tokens: 2 });
  });

  it("says what is wrong", async () => {
    const dear = await embed("Hello", "--model", "openai", "--max-cost", "0.00000000001");
    expect(dear.stderr).toContain("kind budget_exceeded");
    const late = await embed("[[emulate: hang=1]]", "--model", "openai", "--timeout", "50");
    expect(late.stderr).toContain("kind deadline_exceeded");
    const short = await embed("Hello", "--dimensions", "0");
    expect(short.stderr).toContain("must be a whole number from 1 to 65536");
    expect([dear, late, short].map(({ status, stdout }) => [status, stdout])).toEqual([
      [1, ""],
      [1, ""],
      [1, ""],
    ]);
  });
});

describe("Ctrl-C", () => {
  const PATIENTLY = { timeout: 10_000 };
  const lastOutcome = () => open.emulator.meter.requests.at(-1)?.outcome;

  it("aborts a stream at the provider, and says what was spent by then", async () => {
    const run = start(
      "chat",
      "[[emulate: interval_ms=10 tokens=100000]] Hello",
      "--stream",
      "--url",
      open.url,
    );
    await run.until(({ stdout }) => stdout.length > 20);
    run.child.kill("SIGINT");
    const { status, stderr } = await run.end();
    expect(stderr).toMatch(/aborted; about \$0\.\d*[1-9]\d* spent by then\n$/);
    expect(status).toBe(130);
    await expect.poll(lastOutcome, PATIENTLY).toBe("aborted");
  });

  it("is not needed where the reader leaves, as head does: the command ends without a word, and so does the stream", async () => {
    const text = "[[emulate: interval_ms=10 tokens=100000]] Hello";
    const run = start("chat", text, "--stream", "--json", "--url", open.url);
    await run.until(({ stdout }) => stdout.includes("\n"));
    run.child.stdout?.destroy();
    expect(await run.end()).toMatchObject({ status: 141, stderr: "" });
    await expect.poll(lastOutcome, PATIENTLY).toBe("aborted");
  });

  it("aborts a call that has not begun to answer", async () => {
    const before = open.emulator.meter.requests.length;
    const run = start("chat", "[[emulate: hang=1]]", "--url", open.url);
    await expect.poll(() => open.emulator.meter.requests.length, PATIENTLY).toBe(before + 1);
    run.child.kill("SIGINT");
    const { status, stderr } = await run.end();
    expect(stderr).toContain("aborted");
    expect(status).toBe(130);
    await expect.poll(lastOutcome, PATIENTLY).toBe("aborted");
  });
});

describe("serve", () => {
  it("listens, answers, and stops on SIGTERM with status 0", async () => {
    const run = start({ PORT: "0" }, "serve");
    const url = await listening(run);
    expect(await (await fetch(`${url}/v1/gateway/health`)).json()).toEqual({ status: "alive" });
    run.child.kill("SIGTERM");
    expect((await run.end()).status).toBe(0);
  });

  it("takes .env.example as it is, since a variable that is empty is unset", async () => {
    const text = readFileSync(new URL("../.env.example", import.meta.url), "utf8");
    const names = [...text.matchAll(/^(\w+)=$/gm)].map(([, name = ""]) => [name, ""]);
    expect(names).toContainEqual(["LLMGATEWAY_CONFIG", ""]);
    await listening(start({ PORT: "0", ...Object.fromEntries(names) }, "serve"));
    const empty = { LLMGATEWAY_URL: "", LLMGATEWAY_API_KEY: "", PRICE_CATALOG_PATH: "" };
    const check = await start(empty, "prices", "check", "--date", "2026-08-01").end();
    expect([check.status, check.stderr]).toEqual([0, ""]);
    const away = await start(empty, "chat", "Hello", "--model", "nobody/x").end();
    expect(away.stderr).not.toContain("LLMGATEWAY_URL");
  });

  it("names every variable that is wrong, and exits with status 2", async () => {
    const { status, stderr } = await start({ PORT: "many", RATE_LIMIT_RPM: "-1" }, "serve").end();
    expect(stderr).toContain("PORT: must be a whole number from 0 to 65535");
    expect(stderr).toContain("RATE_LIMIT_RPM: must be a whole number");
    expect(stderr).not.toContain("    at ");
    expect(status).toBe(2);
  });

  it("says so when its port is taken", async () => {
    const { status, stderr } = await start({ PORT: new URL(open.url).port }, "serve").end();
    expect(stderr).toMatch(/^listen EADDRINUSE: address already in use [\d.:]+\n$/);
    expect(status).toBe(1);
  });

  it.runIf(hasRedis("the end of a gateway that cannot listen"))(
    "ends when its port is taken, whatever it has open",
    { timeout: 20_000 },
    async () => {
      await using redis = await startRedis();
      const run = start({ PORT: new URL(open.url).port, REDIS_URL: redis.url }, "serve");
      expect((await run.end()).status).toBe(1);
    },
  );

  it.each<[what: string, env: Record<string, string>, expected: string, status: number]>([
    [
      "catalog",
      { PRICE_CATALOG_PATH: "nowhere.json" },
      "nowhere.json: cannot be read (ENOENT); prices.cat",
      2,
    ],
    ["catalog", { PRICE_CATALOG_PATH: "README.md" }, "README.md: is not JSON", 2],
    ["folder", { LLMGATEWAY_DATA_DIR: "README.md" }, "README.md cannot hold the database: EEXIST", 1],
    [
      "database",
      { DATABASE_URL: "postgres://127.0.0.1:1/x" },
      "the database at DATABASE_URL cannot be used",
      1,
    ],
    ["host", { HOST: "nobody.invalid" }, "nobody.invalid", 1],
  ])("says without a stack what is wrong with its %s: %j", async (_, env, expected, status) => {
    const ended = await start({ PORT: "0", ...env }, "serve").end();
    expect(ended.stderr).toContain(expected);
    expect(ended.stderr).not.toContain("    at ");
    expect(ended.status).toBe(status);
  });
});

describe("emulate", () => {
  it("serves every format at the base URL that it says", async () => {
    const run = start("emulate", "--host", "127.0.0.1", "--port", "0", "--seed", "7");
    await run.until(({ stdout }) => stdout.includes("/emulator/meter"));
    const urls = [...run.output.stdout.matchAll(/emulating (\w+) at (http:\/\/127\.0\.0\.1:\d+[\w/]+)/g)];
    expect(urls.map(([, who]) => who)).toEqual(["OpenAI", "Anthropic", "Mistral", "Bedrock", "Gemini"]);
    const body = JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "Hello" }] });
    const headers = { "content-type": "application/json", authorization: "Bearer emulated" };
    for (const [, , url] of urls) {
      const reply = await fetch(`${url}/chat/completions`, { method: "POST", headers, body });
      expect(await reply.json()).toMatchObject({ object: "chat.completion" });
    }
    run.child.kill("SIGTERM");
    expect((await run.end()).status).toBe(0);
  });

  it("refuses what it cannot do", async () => {
    const chaos = await start("emulate", "--chaos", "5").end();
    expect(chaos.stderr).toContain("must be a number from 0 to 1");
    const calm = await start("emulate", "--fault", "status=429").end();
    expect(calm.stderr).toContain("--fault says what fails of --chaos, which is 0");
    const taken = await start("emulate", "--port", new URL(open.url).port).end();
    expect(taken.stderr).toMatch(/^listen EADDRINUSE/);
    expect([chaos.status, calm.status, taken.status]).toEqual([1, 1, 1]);
  });
});

describe("demo", () => {
  it("makes three calls, then serves at the URL that it prints", async () => {
    const run = start({ PORT: "0" }, "demo");
    await run.until(({ stdout }) => stdout.includes("/v1/gateway/metrics"));
    const { stdout, stderr } = run.output;
    expect(stdout.match(/^This is the answer to /gm)).toHaveLength(2);
    expect(stderr.match(/\(measured\)/g)).toHaveLength(3);
    expect(stderr).toContain("kind provider_rate_limited");
    const [, url = ""] = /^serving at (http:\/\/127\.0\.0\.1:\d+) /m.exec(stdout) ?? [];
    expect(new URL(url).port).not.toBe("0");
    const available = { status: "available" };
    expect(await (await fetch(`${url}/v1/gateway/status`)).json()).toMatchObject({
      status: "serving",
      providers: Array(7).fill(available),
    });
    run.child.kill("SIGINT");
    expect((await run.end()).status).toBe(0);
  });

  it("says so when its port is taken or is none", async () => {
    const { port } = new URL(open.url);
    const taken = await start({ PORT: port }, "demo").end();
    expect(taken.stderr).toContain(`port ${port} is in use; choose another one`);
    const none = await start({ PORT: "many" }, "demo").end();
    expect(none.stderr).toContain("PORT: must be a whole number");
    expect([taken.status, none.status]).toEqual([1, 2]);
  });
});

function chat(...args: string[]) {
  return start("chat", ...(args.includes("--url") ? [] : ["--url", open.url]), ...args).end();
}

async function listening(run: Run): Promise<string> {
  await run.until(({ stdout }) => stdout.includes('"listening"'));
  const { host, port } = JSON.parse(run.output.stdout);
  return `http://${host}:${port}`;
}
