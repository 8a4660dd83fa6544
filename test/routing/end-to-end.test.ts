/** Aliases, chains and tasks through the whole gateway, on each protocol, with one provider that is not there. */
import { createServer, type Socket } from "node:net";
import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ChatResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type ChatInit, type Conversation } from "../support/callers.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const HELLO = [{ role: "user", content: "Hello" }];

/** Accepts, and never says anything. */
const silent = createServer((socket) => held.add(socket));
const held = new Set<Socket>();
let both: GatewayUnderTest;

beforeAll(async () => {
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const address = silent.address();
  const silentPort = typeof address === "object" ? address?.port : 0;
  const at = (port: unknown) => ({
    kind: "openai_compatible",
    base_url: `http://127.0.0.1:${port}/v1`,
    default_model: "gpt-4o",
    prices: "openai",
    resilience: { circuit_breaker: { enabled: false } },
  });
  both = await startBoth({
    resilience: { retries: { max: 0 } },
    // Nobody listens on port 1.
    providers: { dead: at(1), black_hole: at(silentPort), mistral: { enabled: false } },
    budgets: [{ name: "poor", provider: "claude", limit_usd: 0.000000001, per: "day" }],
    aliases: {
      fast: { targets: [{ target: "dead" }, { target: "openai/gpt-4o-mini", weight: 0 }] },
      shared: { targets: [{ target: "openai/gpt-4o-mini" }, { target: "openai/gpt-4.1-mini" }] },
      small: { targets: [{ target: "openai/o3-mini" }, { target: "openai/gpt-4o", weight: 0 }] },
      off: { targets: [{ target: "mistral" }] },
      vectors: { targets: [{ target: "openai" }] },
    },
    fallback_chains: {
      default: ["dead/gpt-4o", "mistral", "gemini"],
      broke: ["claude", "gemini"],
    },
    task_types: { poems: "gemini", fast_poems: "fast" },
  });
});

afterAll(async () => {
  await both[Symbol.asyncDispose]();
  for (const socket of held) socket.destroy();
  silent.close();
});

beforeEach(() => both.emulator.meter.reset());

const attemptsOf = ({ attempts }: Pick<Receipt, "attempts">) =>
  attempts.map(({ provider, trigger, outcome }) => `${provider} ${trigger} ${outcome}`);

async function receiptOf(conversation: Conversation, request: ChatInit): Promise<Receipt> {
  let receipt: Receipt | undefined;
  for await (const event of conversation.stream(request)) receipt = event.receipt ?? receipt;
  if (!receipt) throw new Error("the stream had no receipt");
  return receipt;
}

describe.each(CALLERS)("by $name", ({ at }) => {
  const conversation = () => at(both.url);

  it.each<[string, (request: ChatInit) => Promise<ChatResponse | Receipt>]>([
    ["unary", (request) => conversation().chat(request)],
    ["as a stream", (request) => receiptOf(conversation(), request)],
  ])("the next of the chain serves what the first cannot, %s", async (_, ask) => {
    const told = await ask({ model: "dead", messages: HELLO });
    expect(attemptsOf(told)).toEqual(["dead first failed", "gemini fallback ok"]);
    expect(told).toMatchObject({
      provider: "gemini",
      route: { policy: "explicit", fallbackChain: "default" },
    });
    // It is not asked twice, and who is off is not asked at all.
    expect(told.route?.candidates.map(({ provider, eligible }) => [provider, eligible])).toEqual([
      ["dead", true],
      ["gemini", true],
      ["mistral", false],
    ]);
    expect(told.route?.candidates.at(-1)?.reason).toContain("switched off");
    expect(both.emulator.meter.requests).toHaveLength(1);
  });
});

describe("by REST", () => {
  const [rest] = CALLERS.filter(({ protocol }) => protocol === "rest");
  const chat = (request: Omit<ChatInit, "messages">) => {
    if (!rest) throw new Error("nobody calls by REST");
    return rest.at(both.url).chat({ messages: HELLO, ...request });
  };
  const refusal = async (request: Omit<ChatInit, "messages">) => {
    const error = await chat(request).then(() => undefined, ConnectError.from);
    if (!error) throw new Error("it was served");
    return error;
  };

  it("nobody follows when the request says none", async () => {
    const error = await refusal({ model: "dead", fallbackChain: "none" });
    expect(error.message).toContain("cannot be reached");
    expect(both.emulator.meter.requests).toHaveLength(0);
  });

  it("a chain that there is not is refused, with those that there are", async () => {
    expect((await refusal({ fallbackChain: "defualt" })).message).toContain("default, broke");
  });

  it("an exceeded budget stops the chain", async () => {
    const error = await refusal({ model: "dead", fallbackChain: "broke" });
    expect(error.message).toContain("poor");
    expect(both.emulator.meter.requests).toHaveLength(0);
  });

  it("the deadline bounds all of the chain", async () => {
    const startedAtMs = performance.now();
    const error = await refusal({ model: "black_hole", timeoutMs: 300 });
    expect(error.code).toBe(4);
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    expect(both.emulator.meter.requests).toHaveLength(0);
  });

  it("an alias's next target serves before the chain's", async () => {
    const reply = await chat({ model: "fast" });
    expect(attemptsOf(reply)).toEqual(["dead first failed", "openai fallback ok"]);
    expect(reply.route).toMatchObject({ policy: "alias", name: "fast", fallbackChain: "default" });
  });

  it("a session stays at one target", async () => {
    const models = new Set<string>();
    for (let call = 0; call < 8; call++)
      models.add((await chat({ model: "shared", sessionId: "conversation 1" })).model);
    expect(models.size).toBe(1);
    const others = new Set<string>();
    for (let call = 0; call < 24; call++)
      others.add((await chat({ model: "shared", sessionId: `conversation ${call}` })).model);
    expect(others.size).toBe(2);
  });

  it("who cannot look at images is not asked, and the receipt says so", async () => {
    const data = Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "base64",
    );
    const image = { source: { case: "data" as const, value: data }, mediaType: "image/png" };
    const reply = await chat({
      model: "small",
      messages: [{ role: "user", parts: [{ part: { case: "image", value: image } }] }],
    } as ChatInit);
    expect(reply.model).toBe("gpt-4o");
    expect(reply.route?.candidates.find(({ eligible }) => !eligible)).toMatchObject({
      provider: "openai",
      model: "o3-mini",
      reason: "messages[0].parts[0].image: it does not look at images",
    });
  });

  it("an alias of which all are off is no fault of the request", async () => {
    const error = await refusal({ model: "off", fallbackChain: "none" });
    expect(error.code).toBe(14);
    expect(error.message).toContain("mistral is off");
  });

  it("neither is a model of which all providers are off: the next of the chain serves, or why they are off is told", async () => {
    const error = await refusal({ model: "mistral-small-latest", fallbackChain: "none" });
    expect(error.code).toBe(14);
    expect(error.message).toContain("mistral is off");
    const reply = await chat({ model: "mistral-small-latest" });
    expect(reply).toMatchObject({ provider: "gemini", route: { policy: "catalog" } });
  });

  it("a task goes to whom the configuration has for it", async () => {
    const reply = await chat({ taskType: "poems" });
    expect(reply).toMatchObject({ provider: "gemini", route: { policy: "task_type", name: "poems" } });
    const byAlias = await chat({ taskType: "fast_poems" });
    expect(byAlias).toMatchObject({ provider: "openai", route: { policy: "task_type", name: "fast_poems" } });
    const off = await chat({ taskType: "question_answering" });
    expect(off).toMatchObject({ provider: "openai", model: "gpt-4o", route: { policy: "default" } });
    expect(off.route?.reason).toContain("mistral, which is for question_answering, is off");
    expect((await refusal({ taskType: "songs" })).message).toContain("summarization");
  });

  it("embeddings know aliases and no chains", async () => {
    if (!rest) throw new Error("nobody calls by REST");
    const reply = await rest.at(both.url).embed({ model: "vectors", input: ["Hello"] });
    expect(reply.route).toMatchObject({
      policy: "alias",
      name: "vectors",
      fallbackChain: "",
      candidates: [],
    });
  });

  it("the log tells of the route and the chain", async () => {
    const reply = await chat({ model: "fast" });
    expect(await both.log.about(reply.requestId)).toMatchObject({
      route: "alias",
      route_name: "fast",
      fallback_chain: "default",
      fallbacks: 1,
    });
  });
});
