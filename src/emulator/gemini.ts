/**
 * Google's wire format, as Gemini's own API and as Vertex AI serves it: which paths it serves, and what each of them
 * answers. Paths are matched by their end, so that any base path will do.
 */
import type { Answer, Exchange } from "./exchange.ts";
import { chooseFault, type Fault, refuses } from "./fault.ts";
import type { Format, Operation, Stage } from "./format.ts";
import { BATCH, CONTENT, type EmbeddingWay, inputTokensOf, PREDICTION } from "./gemini/embeddings.ts";
import { type Api, errorAnswer, faultError, pretty, Refusal, wrongKey } from "./gemini/errors.ts";
import { describeModel, listModels, requireKnown } from "./gemini/models.ts";
import { encodeReply, writeReply } from "./gemini/reply.ts";
import { type ContentRequest, decodeRequest, directed, parseBody } from "./gemini/request.ts";
import { encodeStream, LIST, SSE } from "./gemini/stream.ts";
import { type AcceptedInput, playBefore, playStream, playUnary } from "./play.ts";
import { type Script, writeScript } from "./script.ts";

const CALL = /\/(?:models|tunedModels|endpoints)\/([^/:]+):(\w+)$/;
const MODELS = /\/v1(?:beta)?\/models(?:\/([^/:]+))?$/;

/** Leaves `GET /v1/models` to OpenAI. */
export const geminiFormat: Format = (method, path) => {
  const api: Api = path.includes("/projects/") ? "vertex" : "gemini";
  const [, model = "", verb = ""] = CALL.exec(path) ?? [];
  const answer = CALLS.get(verb);
  if (method === "POST" && answer) {
    return answering(api, (exchange, stage) => answer(exchange, stage, api, decodeURIComponent(model)));
  }
  const models = path.startsWith("/v1/") ? null : MODELS.exec(path);
  if (method !== "GET" || models === null || path.endsWith("/v1/models")) return undefined;
  return answering(api, async (exchange) => {
    const [, name] = models;
    const { query } = exchange;
    const list = () => listModels(Number(query.get("pageSize")) || 50, query.get("pageToken") ?? "");
    exchange.answer(ok(exchange, pretty(name === undefined ? list() : describeModel(name))), "served");
  });
};

const VERTEX_TIER = "x-vertex-ai-llm-shared-request-type";

type Answering = (exchange: Exchange, stage: Stage, api: Api, model: string) => Promise<void>;

const CALLS: ReadonlyMap<string, Answering> = new Map([
  ["generateContent", (...call) => answerContent(...call, false)],
  ["streamGenerateContent", (...call) => answerContent(...call, true)],
  ["countTokens", countTokens],
  ["batchEmbedContents", (...call) => answerEmbeddings(...call, BATCH)],
  ["predict", (...call) => answerEmbeddings(...call, PREDICTION)],
  ["embedContent", (...call) => answerEmbeddings(...call, CONTENT)],
]);

/** Checks the key first, and turns a refusal into its answer. */
function answering(api: Api, answer: Operation): Operation {
  return async (exchange, stage) => {
    try {
      requireKey(exchange, stage.apiKey, api);
      await answer(exchange, stage);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      exchange.answer(withId(exchange, errorAnswer(error.body, isList(exchange))), "error");
    }
  };
}

async function answerContent(
  exchange: Exchange,
  stage: Stage,
  api: Api,
  model: string,
  stream: boolean,
): Promise<void> {
  const { arrival, record } = exchange;
  record.stream = stream;
  record.model = model;
  const asked = decodeRequest(parseBody(await exchange.body()), api, model);
  const fault = chooseFault(asked.fault, stage, arrival.ordinal);
  const tier = api === "vertex" ? exchange.headers[VERTEX_TIER]?.toString() : undefined;
  const request: ContentRequest = { ...asked, fault, serviceTier: tier ?? asked.serviceTier };
  const script = writeScript(stage.seed, request.prompt);
  const input = acceptedInput(request, script, stage);
  const refused = (shown: Fault) => withId(exchange, refusedAnswer(shown, exchange, stream));
  if (!(await playBefore(exchange, fault, input, refused))) return;

  const reply = writeReply(request, script, input, arrival, stage.seed);
  if (!stream) {
    await playUnary(exchange, fault, ok(exchange, encodeReply(reply)), script, refused);
    return;
  }
  const framing = isList(exchange) ? LIST : SSE;
  const { headers } = ok(exchange, "");
  await playStream(
    exchange,
    fault,
    { ...headers, "content-type": framing.contentType },
    encodeStream(reply, framing),
    (shown) => {
      const error = faultError(shown);
      // Vertex AI writes an error into a stream as bare JSON.
      return api === "vertex" && framing === SSE ? pretty(error) : framing.frame(error, false);
    },
  );
}

/** A code that is a reason to block a prompt is no error: the answer has no candidates. */
const BLOCKED: ReadonlySet<string> = new Set([
  "SAFETY",
  "PROHIBITED_CONTENT",
  "BLOCKLIST",
  "MODEL_ARMOR",
  "OTHER",
]);

function refusedAnswer(fault: Fault, exchange: Exchange, stream: boolean): Answer {
  if (fault.status !== undefined || !BLOCKED.has(fault.code ?? ""))
    return errorAnswer(faultError(fault), isList(exchange));
  const blocked = { promptFeedback: { blockReason: fault.code } };
  const framing = stream && !isList(exchange) ? SSE : undefined;
  return {
    status: 200,
    headers: { "content-type": framing?.contentType ?? LIST.contentType },
    body: framing ? framing.frame(blocked, true) : pretty(stream ? [blocked] : blocked),
  };
}

/** Only prompts that will be answered reach the prompt cache, which nothing is billed for writing to. */
function acceptedInput(
  { model, prompt, fault }: ContentRequest,
  { inputTokens }: Script,
  stage: Stage,
): AcceptedInput {
  const none = { inputTokens, cachedInputTokens: 0, cacheWriteTokens: 0 };
  if (fault !== undefined && refuses(fault)) return none;
  const text = () => prompt.turns.map((turn) => `${turn.role}\n${turn.text}\n`).join("");
  return { ...none, cachedInputTokens: stage.promptCache.observe(model, inputTokens, text).cachedTokens };
}

/** Free of charge, and so not metered. */
async function countTokens(exchange: Exchange, stage: Stage, api: Api, model: string): Promise<void> {
  exchange.record.model = model;
  const { prompt } = decodeRequest(parseBody(await exchange.body()), api, model);
  const totalTokens = writeScript(stage.seed, prompt).inputTokens;
  const promptTokensDetails = [{ modality: "TEXT", tokenCount: totalTokens }];
  exchange.answer(ok(exchange, pretty({ totalTokens, promptTokensDetails })), "served");
}

async function answerEmbeddings(
  exchange: Exchange,
  stage: Stage,
  api: Api,
  model: string,
  way: EmbeddingWay,
): Promise<void> {
  exchange.record.model = model;
  requireKnown(api, model, "embedContent");
  const asked = way.decode(parseBody(await exchange.body()));
  const inputs = asked.inputs.map((text) => directed(text));
  const fault = chooseFault(
    inputs.findLast((one) => one.fault !== undefined)?.fault,
    stage,
    exchange.arrival.ordinal,
  );
  const refused = (shown: Fault) => withId(exchange, errorAnswer(faultError(shown)));
  const input = { inputTokens: inputTokensOf(asked), cachedInputTokens: 0, cacheWriteTokens: 0 };
  if (!(await playBefore(exchange, fault, input, refused))) return;
  const texts = inputs.map(({ text }) => text);
  const said = way.encode(asked, texts, api === "vertex" && fault?.noUsage !== true);
  await playUnary(exchange, fault, ok(exchange, said), { outputTokens: 0, reasoningTokens: 0 }, refused);
}

/** Gemini takes a key in a header or in the query, Vertex AI a bearer token. */
function requireKey(exchange: Exchange, key: string | undefined, api: Api): void {
  if (key === undefined) return;
  const { authorization, "x-goog-api-key": own } = exchange.headers;
  const bearer = authorization?.replace(/^Bearer\s+/i, "");
  const presented =
    api === "vertex" ? bearer : (own?.toString() ?? exchange.query.get("key") ?? bearer ?? undefined);
  if (presented !== key) throw wrongKey(api, presented);
}

/** Whether the answer is one JSON list: a stream that was not asked for as server-sent events. */
function isList(exchange: Exchange): boolean {
  return exchange.record.stream && exchange.query.get("alt") !== "sse";
}

function ok(exchange: Exchange, body: string): Answer {
  const headers = { "content-type": "application/json; charset=UTF-8", "server-timing": "gfet4t7; dur=1" };
  return withId(exchange, { status: 200, headers, body });
}

function withId(exchange: Exchange, answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, "x-request-id": exchange.arrival.id } };
}
