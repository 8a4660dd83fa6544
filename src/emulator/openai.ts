/**
 * OpenAI's wire format, Azure's variant included: which paths it serves, and what each of them answers.
 * Chat and embeddings are matched by the end of the path, so that any base path will do.
 */
import type { Answer, Exchange } from "./exchange.ts";
import { chooseFault, type Fault } from "./fault.ts";
import type { Format, Operation, Stage } from "./format.ts";
import { azureDeployment, decodeSegment } from "./openai/azure.ts";
import { cancelBatch, createBatch, describeBatch, findBatch, listBatches } from "./openai/batches.ts";
import { decodeEmbedding, encodeEmbedding } from "./openai/embeddings.ts";
import { faultAnswer, faultError, Refusal, refusalAnswer, unknownPath } from "./openai/errors.ts";
import { describeFile, findFile, uploadFile } from "./openai/files.ts";
import { acceptedInput } from "./openai/input.ts";
import { requireKey } from "./openai/key.ts";
import { describeModel, listModels } from "./openai/models.ts";
import { encodeModeration } from "./openai/moderations.ts";
import { encodeReply, encodeUsage, replyHead } from "./openai/reply.ts";
import { decodeChat, decodeModel, directed, parseBody } from "./openai/request.ts";
import { encodeStream, sse } from "./openai/stream.ts";
import { playBefore, playStream, playUnary } from "./play.ts";
import { writeScript } from "./script.ts";

/** Claims chat and embeddings below any path, and the models, files and batches below `/v1`. */
export const openAiFormat: Format = (method, path) => {
  if (method === "POST" && path.endsWith("/chat/completions")) return answering(answerChat, path);
  if (method === "POST" && path.endsWith("/embeddings")) return answering(answerEmbedding, path);
  if (method === "POST" && path.endsWith("/moderations")) return answering(answerModeration, path);
  const work = workOf(method, path);
  if (work !== undefined) return answering(work, path);
  const models = /\/v1\/models(?:\/(.+))?$/.exec(path);
  if (method !== "GET" || models === null) return undefined;
  return answering(async (exchange) => {
    const [, id] = models;
    const body = id === undefined ? listModels() : describeModel(decodeSegment(id));
    exchange.answer(ok(exchange, JSON.stringify(body)), "served");
  }, path);
};

/** Answers a path that no format claims, as OpenAI does. */
export function openAiUnknownPath(method: string, path: string): Operation {
  return answering(async () => {
    throw unknownPath(method, path);
  }, path);
}

type Answering = (exchange: Exchange, stage: Stage, deployment: string | undefined) => Promise<void>;

/** Checks the key first, and turns a refusal into its answer. */
function answering(answer: Answering, path: string): Operation {
  const deployment = azureDeployment(path);
  return async (exchange, stage) => {
    try {
      requireKey(exchange, stage.apiKey);
      await answer(exchange, stage, deployment);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      exchange.answer(withIds(exchange, refusalAnswer(error, deployment !== undefined)), "error");
    }
  };
}

/** Files and batches. */
function workOf(method: string, path: string): Answering | undefined {
  const [, place, id = "", more = ""] = /\/v1\/(files|batches)(?:\/([^/]+))?(?:\/(.+))?$/.exec(path) ?? [];
  if (place === undefined) return undefined;
  const what = WORK.get([method, place, ...(id ? ["id"] : []), ...(more ? [more] : [])].join(" "));
  return (
    what &&
    (async (exchange, stage) => {
      const body = await what(exchange, stage, decodeSegment(id));
      exchange.answer(ok(exchange, typeof body === "string" ? body : JSON.stringify(body)), "served");
    })
  );
}

type Work = (exchange: Exchange, stage: Stage, id: string) => object | string | Promise<object>;

const WORK: ReadonlyMap<string, Work> = new Map<string, Work>([
  ["POST files", (exchange, stage) => uploadFile(exchange, stage)],
  ["GET files id", (_, stage, id) => describeFile(findFile(id, stage))],
  ["GET files id content", (_, stage, id) => findFile(id, stage).content],
  ["POST batches", (exchange, stage) => createBatch(exchange, stage)],
  ["GET batches", ({ query }, stage) => listBatches(query, stage)],
  ["GET batches id", (_, stage, id) => describeBatch(findBatch(id, stage))],
  [
    "POST batches id cancel",
    (_, stage, id) => {
      const batch = findBatch(id, stage);
      cancelBatch(batch);
      return describeBatch(batch);
    },
  ],
]);

async function answerChat(exchange: Exchange, stage: Stage, deployment: string | undefined): Promise<void> {
  const body = parseBody(await exchange.body());
  exchange.record.stream = body.stream === true;
  exchange.record.model = nameOf(body.model ?? deployment);
  const model = decodeModel(body, deployment);
  const request = decodeChat(body, model);
  const azure = deployment !== undefined;
  const fault = chooseFault(request.fault, stage, exchange.arrival.ordinal);
  const script = writeScript(stage.seed, request.prompt);
  const input = acceptedInput(request, script.inputTokens, stage, fault);
  const errorAnswer = (asked: Fault) => withIds(exchange, faultAnswer(asked, azure));
  if (!(await playBefore(exchange, fault, input, errorAnswer))) return;

  const head = replyHead(stage.seed, exchange.arrival, model, azure);
  const usage = fault?.noUsage ? undefined : encodeUsage(model, script, input);
  if (!request.stream) {
    const answer = ok(exchange, encodeReply(head, request, script, usage, azure));
    await playUnary(exchange, fault, answer, script, errorAnswer);
    return;
  }
  const { random } = exchange.arrival;
  const asked = request.includeUsage ? usage : undefined;
  const frames = encodeStream(script, { head, request, usage: asked, azure, random });
  const { headers } = withIds(exchange, {
    status: 200,
    headers: azure ? AZURE_STREAM_HEADERS : STREAM_HEADERS,
    body: "",
  });
  await playStream(exchange, fault, headers, frames, (shown) => sse({ error: faultError(shown) }));
}

async function answerEmbedding(
  exchange: Exchange,
  stage: Stage,
  deployment: string | undefined,
): Promise<void> {
  const body = parseBody(await exchange.body());
  exchange.record.model = nameOf(body.model ?? deployment);
  const request = decodeEmbedding(body, decodeModel(body, deployment));
  const inputs = request.inputs.map((text) => directed(text));
  const asked = inputs.findLast((one) => one.fault !== undefined)?.fault;
  const fault = chooseFault(asked, stage, exchange.arrival.ordinal);
  const errorAnswer = (shown: Fault) => withIds(exchange, faultAnswer(shown, deployment !== undefined));
  const input = { inputTokens: request.inputTokens, cachedInputTokens: 0, cacheWriteTokens: 0 };
  if (!(await playBefore(exchange, fault, input, errorAnswer))) return;
  const texts = inputs.map((one) => one.text);
  const answer = ok(exchange, encodeEmbedding(request, texts, fault?.noUsage !== true));
  await playUnary(exchange, fault, answer, { outputTokens: 0, reasoningTokens: 0 }, errorAnswer);
}

/** Faults are asked for in the texts, as of embeddings. */
async function answerModeration(exchange: Exchange, stage: Stage): Promise<void> {
  const body = parseBody(await exchange.body());
  exchange.record.model = nameOf(body.model);
  const answer = ok(exchange, encodeModeration(body, exchange.arrival.id));
  const asked = [body.input].flat().map((text) => directed(nameOf(text)).fault);
  const fault = chooseFault(
    asked.findLast((one) => one !== undefined),
    stage,
    exchange.arrival.ordinal,
  );
  const errorAnswer = (shown: Fault) => withIds(exchange, faultAnswer(shown, false));
  const input = { inputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0 };
  if (!(await playBefore(exchange, fault, input, errorAnswer))) return;
  await playUnary(exchange, fault, answer, { outputTokens: 0, reasoningTokens: 0 }, errorAnswer);
}

const STREAM_HEADERS = { "content-type": "text/event-stream; charset=utf-8" };
const AZURE_STREAM_HEADERS = { "content-type": "text/event-stream" };
const JSON_HEADERS = { "content-type": "application/json" };

function ok(exchange: Exchange, body: string): Answer {
  return withIds(exchange, { status: 200, headers: JSON_HEADERS, body });
}

function withIds(exchange: Exchange, answer: Answer): Answer {
  const { id } = exchange.arrival;
  return { ...answer, headers: { ...answer.headers, "openai-version": "2020-10-01", "x-request-id": id } };
}

function nameOf(model: unknown): string {
  return typeof model === "string" ? model : "";
}
