/** Moderation through the whole gateway: over every protocol, what it costs, what is kept, and who is asked. */
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, test } from "vitest";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type ChatInit, type Conversation } from "../support/callers.ts";
import { startBoth } from "../support/gateway.ts";
import { CALLS_HERE, SECRET, startReceiver } from "../support/receiver.ts";

const hooks = (...list: object[]) => ({ moderation: { hooks: list } });
const REST = CALLERS[0] as (typeof CALLERS)[number];
const WAYS = CALLERS.filter(({ name }) => ["REST and SSE", "Connect in binary", "gRPC"].includes(name));
const ask = (content: string, more: ChatInit = {}): ChatInit => ({
  model: "openai/gpt-4o",
  messages: [{ role: "user", content }],
  ...more,
});

interface Streamed {
  readonly text: string;
  readonly receipt: Receipt | undefined;
  readonly failure: string;
}

/** Over REST a failure after the first event is an event, elsewhere an error behind one. */
async function streamed(conversation: Conversation, request: ChatInit): Promise<Streamed> {
  let [text, failure] = ["", ""];
  let receipt: Receipt | undefined;
  try {
    for await (const event of conversation.stream(request)) {
      text += event.token ?? "";
      receipt = event.receipt ?? event.error?.receipt ?? receipt;
      failure = event.error?.kind ?? failure;
    }
  } catch (error) {
    failure ||= ConnectError.from(error).message;
  }
  return { text, receipt, failure };
}

const PII = { name: "pii", kind: "pii", restore: true };
const QUESTION = ask("Repeat: ann@example.com 4111 1111 1111 1111");

test.each(WAYS)("over $name what is personal never leaves, and comes back in the answer", async ({ at }) => {
  await using both = await startBoth({ ...hooks(PII), cache: { enabled: true } });
  // The emulator repeats the first words of what it is asked.
  const echo = 'This is the answer to "Repeat: ann@example.com 4111 1111 1111 1111".';
  const reply = await at(both.url).chat(QUESTION);
  expect(reply.response).toContain(echo);
  const found = { hook: "pii", stage: "request", action: "redact", count: 1 };
  expect(reply.moderation).toMatchObject([
    { ...found, category: "email" },
    { ...found, category: "card" },
  ]);
  const { text, receipt } = await streamed(at(both.url), ask(`${QUESTION.messages?.[0]?.content} now`));
  expect(text).toContain("ann@example.com 4111 1111 1111 1111 now");
  expect(receipt?.moderation).toMatchObject([{ category: "email" }, { category: "card" }]);
  // Somebody else's values are other ones, and the same words to the model: the answer is kept for both, without any.
  const other = await at(both.url).chat(ask("Repeat: bob@example.org 5500 0000 0000 0004"));
  expect([other.cached, other.response]).toEqual([
    true,
    expect.stringContaining("bob@example.org 5500 0000 0000 0004"),
  ]);
  expect(both.emulator.meter.requests).toHaveLength(2);
  expect(JSON.stringify(both.log.events)).not.toMatch(/ann@|bob@|4111 1111/);
});

test.each(WAYS)("over $name a refused request spends nothing, a refused answer is booked", async ({ at }) => {
  const words = { kind: "blocklist", words: ["falcon", "emulator"] };
  const refusing = hooks(
    { ...words, name: "asked", words: ["falcon"], on: ["request"] },
    {
      ...words,
      name: "said",
      words: [
        "question is always answered",
        "emulator",
        "no model",
        "short on purpose",
        "another seed",
        "its tokens",
      ],
      on: ["stream", "reply"],
    },
  );
  await using both = await startBoth(refusing, { emulator: { paceMs: 5 } });
  const asked = await at(both.url).chat(ask("About the Falcon")).catch(ConnectError.from);
  expect(asked).toMatchObject({ code: Code.InvalidArgument });
  expect(String(asked)).toContain('the moderation hook "asked" refuses the request: word');
  expect(both.emulator.meter.requests).toHaveLength(0);
  const said = await at(both.url).chat(ask("Hello")).catch(ConnectError.from);
  expect(String(said)).toContain('the moderation hook "said" refuses the answer: word');
  const stream = await streamed(at(both.url), ask("Hello again"));
  expect(stream.text).toMatch(/^This is the answer to "Hello again"/);
  expect(stream.text).not.toMatch(/emulator|no model|on purpose|another seed|its tokens|always answered/i);
  expect(stream.failure).toBe("content_refused");
  expect(stream.receipt?.moderation).toMatchObject([{ hook: "said", stage: "stream", action: "refuse" }]);
  expect(stream.receipt?.attempts).toHaveLength(1);
  expect(both.emulator.meter.requests).toHaveLength(2);
  const metrics = await (await fetch(`${both.url}/v1/gateway/metrics`)).text();
  expect(metrics).toContain('llm_moderation_total{hook="asked",action="refuse",stage="request"} 1');
  expect(metrics).toContain('llm_moderation_total{hook="said",action="refuse",stage="reply"} 1');
  expect(metrics).toContain('llm_moderation_total{hook="said",action="refuse",stage="stream"} 1');
  // Both answers were paid for.
  const told = both.log.events.filter(({ failure_kind }) => failure_kind === "content_refused");
  expect(told.map(({ attempts }) => attempts)).toEqual([0, 1, 1]);
  for (const { cost_usd } of told.slice(1)) expect(Number(cost_usd)).toBeGreaterThan(0);
});

describe("a cached answer", () => {
  it("is looked at again each time it is given", async () => {
    await using both = await startBoth({
      cache: { enabled: true },
      ...hooks({
        name: "words",
        kind: "blocklist",
        words: ["answer"],
        action: "redact",
        on: ["reply", "stream"],
      }),
    });
    const first = await REST.at(both.url).chat(ask("Hello"));
    const again = await REST.at(both.url).chat(ask("Hello"));
    const stream = await streamed(REST.at(both.url), ask("Hello"));
    expect(again.cacheKind).toBe("exact");
    for (const text of [first.response, again.response, stream.text])
      expect(text).toMatch(/^This is the \[WORD_1\] to/);
    expect(again.moderation).toMatchObject([{ hook: "words", stage: "reply", action: "redact" }]);
    expect(both.emulator.meter.requests).toHaveLength(1);
  });

  it("of a redacted request is not that of who says the same in clear, and a dry run knows both", async () => {
    await using both = await startBoth({
      cache: { enabled: true },
      auth: { keys: [] },
      ...hooks({ name: "pii", kind: "pii", models: ["openai/gpt-4o"] }),
    });
    const at = REST.at(both.url);
    await at.chat(ask("I am ann@example.com"));
    expect((await at.dryRun(ask("I am eve@example.com"))).cache?.outcome).toBe("hit");
    // A model that the hook is not for.
    const clear = await at.chat(ask("I am ann@example.com", { model: "openai/gpt-4o-mini" }));
    expect([clear.cached, clear.moderation, clear.response]).toMatchObject([
      false,
      [],
      expect.stringContaining("ann@"),
    ]);
    await expect(
      at.dryRun(ask("I am ann@example.com", { model: "openai/gpt-4o-mini" })),
    ).resolves.toMatchObject({
      cache: { outcome: "hit" },
    });
  });
});

it("a dry run tells what hooks refuse, and counts what they leave, with the cache and without it", async () => {
  const more = { name: "names", kind: "blocklist", words: ["falcon"], action: "refuse" };
  for (const enabled of [true, false]) {
    await using both = await startBoth({ cache: { enabled }, ...hooks(PII, more) });
    const at = REST.at(both.url);
    await expect(at.dryRun(ask("When does Falcon start?"))).rejects.toThrow(
      '"names" refuses the request: word',
    );
    const mails = Array.from({ length: 50 }, () => "ann.longname@mail.example.com").join(" ");
    const short = Array.from({ length: 50 }, () => "[EMAIL_1]").join(" ");
    const [planned, left] = [await at.dryRun(ask(mails)), await at.dryRun(ask(short))];
    expect(planned.inputTokens).toBe(left.inputTokens);
  }
});

it.each<[string, boolean, ...string[]]>([
  ["openai", true, "openai/gpt-4o-mini", "gpt-4o-mini", "small", "openai"],
  ["openai", false, "claude/claude-haiku-4-5", "other"],
  ["openai/gpt-4o-mini", true, "gpt-4o-mini", "small"],
  ["openai/gpt-4o-mini", false, "openai/gpt-4o", "gpt-4o", "other"],
  ["small", true, "small"],
  ["small", false, "openai/gpt-4o-mini", "gpt-4o-mini", "other"],
])("a hook for %s looks (%s) at what asks for %s", async (entry, looks, ...models) => {
  const aliases = {
    small: { targets: [{ target: "openai/gpt-4o-mini" }] },
    other: { targets: [{ target: "claude/claude-haiku-4-5" }] },
  };
  const hook = { name: "pii", kind: "pii", action: "refuse", models: [entry] };
  await using both = await startBoth({ aliases, ...hooks(hook) });
  for (const model of models) {
    const asked = REST.at(both.url).chat(ask("I am ann@example.com", { model }));
    const refusal = await asked.then(() => undefined, ConnectError.from);
    expect(refusal?.rawMessage, model).toBe(
      looks ? 'the moderation hook "pii" refuses the request: email' : undefined,
    );
  }
});

describe("a hook for one provider looks at what another is asked where the call may go to the one", () => {
  const GPT = "openai/gpt-4o-mini";
  const CLAUDE = "claude/claude-haiku-4-5";
  const trial = (more: object) => ({ experiments: { trial: { variants: [{ model: CLAUDE }], ...more } } });
  const semantic = { mode: "serve", embedder: "openai/text-embedding-3-small" };

  test.each<[string, boolean, object, ChatInit?]>([
    ["no chain", false, { fallback_chains: { backup: [GPT] } }],
    ["the default chain", true, { fallback_chains: { default: [GPT] } }],
    ["a chain that names the provider alone", true, { fallback_chains: { default: ["openai"] } }],
    ["a chain", true, { fallback_chains: { backup: [GPT] } }, { fallbackChain: "backup" }],
    ["the chain that it refuses", false, { fallback_chains: { default: [GPT] } }, { fallbackChain: "none" }],
    ["a variant", true, trial({ all: true, variants: [{ model: GPT }] })],
    [
      "a variant by an alias",
      true,
      {
        aliases: { small: { targets: [{ target: GPT }] } },
        ...trial({ all: true, variants: [{ model: "small" }] }),
      },
    ],
    ["a shadow", true, trial({ models: [CLAUDE], shadows: [{ model: GPT }] })],
    ["an experiment that it is no part of", false, trial({ models: ["claude"], variants: [{ model: GPT }] })],
    ["an experiment that is off", false, trial({ all: true, enabled: false, variants: [{ model: GPT }] })],
    ["the semantic cache", true, { cache: { enabled: true, semantic } }],
    ["the semantic cache behind one that is off", false, { cache: { semantic } }],
    [
      "the semantic cache that is off",
      false,
      { cache: { enabled: true, semantic: { ...semantic, mode: "off" } } },
    ],
  ])("%s (%s)", async (_, looks, config, more) => {
    const hook = { name: "pii", kind: "pii", action: "refuse", models: ["openai"] };
    await using both = await startBoth({ ...config, ...hooks(hook) });
    const asked = REST.at(both.url).chat(ask("I am ann@example.com", { model: CLAUDE, ...more }));
    const refusal = await asked.then(() => undefined, ConnectError.from);
    expect(refusal?.rawMessage).toBe(
      looks ? 'the moderation hook "pii" refuses the request: email' : undefined,
    );
  });
});

describe("those who are asked", () => {
  it("a provider's endpoint: by its key and address, at no cost, and no attempt", async () => {
    await using both = await startBoth(hooks({ name: "safety", kind: "provider_moderation" }), {
      emulator: { apiKey: "emulated" },
    });
    const at = REST.at(both.url);
    const reply = await at.chat(ask("Hello"));
    expect([reply.attempts.length, reply.moderation]).toEqual([1, []]);
    // The request, the answer itself, and the answer's look.
    expect(both.emulator.meter.requests.map(({ model }) => model)).toEqual([
      "omni-moderation-latest",
      "gpt-4o",
      "omni-moderation-latest",
    ]);
    const refused = await at.chat(ask("I want to kill time")).catch(ConnectError.from);
    expect(String(refused)).toContain('the moderation hook "safety" refuses the request: violence');
  });

  it("a provider's endpoint that fails: the call is refused, or passes and says so", async () => {
    for (const fail of ["open", "closed"]) {
      await using both = await startBoth(
        hooks({ name: "safety", kind: "provider_moderation", fail, on: ["request"], timeout: "2s" }),
      );
      const request = ask("Hello [[emulate: status=500]] there");
      const reply = await REST.at(both.url).chat(request).catch(ConnectError.from);
      if (fail === "closed") expect(String(reply)).toContain('the moderation hook "safety" failed');
      // The call itself meets the same fault, in its turn.
      else
        expect(both.emulator.meter.requests.map(({ model }) => model)).toEqual([
          "omni-moderation-latest",
          "gpt-4o",
        ]);
    }
  });

  it("a receiver: signed, told who calls, and heard on what and where", async () => {
    await using receiver = await startReceiver((_, response) => {
      const findings = [{ text: 0, start: 6, end: 11, category: "name" }];
      response.end(JSON.stringify({ action: "redact", findings }));
    });
    const url = `http://127.0.0.1:${receiver.port}/look`;
    const config = {
      ...CALLS_HERE.given,
      ...hooks({ name: "ours", kind: "webhook", url, action: "redact", on: ["request"], restore: true }),
    };
    await using both = await startBoth(config, CALLS_HERE.surroundings);
    const reply = await REST.at(both.url).chat(ask("😀 I am Annie here"));
    expect(reply.response).toContain("😀 I am Annie here".slice(0, 12));
    expect(reply.moderation).toMatchObject([{ hook: "ours", action: "redact", category: "name", count: 1 }]);
    const [{ body, headers } = { body: "", headers: {} }] = receiver.received;
    expect(JSON.parse(body)).toMatchObject({
      type: "moderation.asked",
      stage: "request",
      tenant: "internal",
      texts: ["😀 I am Annie here"],
    });
    const { Webhook } = await import("standardwebhooks");
    expect(() => new Webhook(SECRET).verify(body, headers as Record<string, string>)).not.toThrow();
  });

  it("a receiver that answers nonsense is one that failed, and none of it is told", async () => {
    await using receiver = await startReceiver((_, response) => response.end("I read: Annie"));
    const url = `http://127.0.0.1:${receiver.port}/look`;
    const config = { ...CALLS_HERE.given, ...hooks({ name: "ours", kind: "webhook", url, fail: "open" }) };
    await using both = await startBoth(config, CALLS_HERE.surroundings);
    const reply = await REST.at(both.url).chat(ask("I am Annie"));
    expect(reply.moderation).toMatchObject([
      { stage: "request", action: "skipped", category: "failed" },
      { stage: "reply", action: "skipped", category: "failed" },
    ]);
    expect(JSON.stringify(both.log.events)).toContain("the answer is no JSON");
    expect(JSON.stringify(both.log.events)).not.toContain("Annie");
  });

  it("a receiver that is not allowed stops the start", async () => {
    const config = hooks({ name: "ours", kind: "webhook", url: "https://elsewhere.example.com/look" });
    await expect(startBoth(config, CALLS_HERE.surroundings)).rejects.toThrow(
      /moderation\.hooks\[0\]\.url: no host may be called/,
    );
  });
});

it("says what is wrong with a hook by its field", async () => {
  const wrong = hooks(
    { name: "a", kind: "pii", categories: ["emial"], models: ["nobody/x"], exempt_keys: ["ghost"] },
    { name: "a", kind: "blocklist" },
    { name: "b", kind: "blocklist", patterns: ["(?=x)"] },
    { name: "c", kind: "max_length", action: "redact" },
    { name: "d", kind: "webhook" },
    { name: "e", kind: "provider_moderation", provider: "claude" },
    { name: "f", kind: "pii", on: ["reply"] },
    { name: "g", kind: "pii", restore: true, action: "flag" },
  );
  const error = await startBoth(wrong).then(
    () => "",
    (thrown: unknown) => String(thrown),
  );
  for (const path of [
    "[0].categories[0]",
    "[0].models[0]",
    "[0].exempt_keys[0]",
    "[1].name",
    "[1].words",
    "[2].patterns[0]",
    "[3].action",
    "[3].max_chars",
    "[4].url",
    "[5].provider",
    "[6].on",
    "[7].restore",
  ])
    expect(error).toContain(`moderation.hooks${path}`);
});

it("is not there where it is not configured", async () => {
  await using both = await startBoth();
  const reply = await REST.at(both.url).chat(QUESTION);
  expect(reply.response).toContain("ann@example.com");
  expect(reply.moderation).toEqual([]);
  const { text } = await streamed(REST.at(both.url), QUESTION);
  expect(text).toContain("ann@example.com");
});
