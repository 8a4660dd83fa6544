/** Mistral's wire format below `/mistral`: which paths it serves, and what each of them answers. */
import type { Answer, Exchange } from "./exchange.ts";
import { chooseFault, type Fault } from "./fault.ts";
import type { Format, Operation, Stage } from "./format.ts";
import { faultAnswer, faultBody, notFound, refusalAnswer } from "./mistral/errors.ts";
import { describeModel, listModels } from "./mistral/models.ts";
import { encodeEmbeddings, encodeReply, encodeUsage, replyHead } from "./mistral/reply.ts";
import { decodeChat, decodeEmbeddings } from "./mistral/request.ts";
import { encodeStream } from "./mistral/stream.ts";
import { Refusal } from "./openai/errors.ts";
import { acceptedInput } from "./openai/input.ts";
import { requireKey } from "./openai/key.ts";
import { directed, parseBody } from "./openai/request.ts";
import { playBefore, playStream, playUnary } from "./play.ts";
import { writeScript } from "./script.ts";

/** Claims everything below `/mistral`. */
export const mistralFormat: Format = (method, path) => {
  if (!path.startsWith("/mistral/")) return undefined;
  const endpoint = `${method} ${path.slice("/mistral".length)}`;
  if (endpoint === "POST /v1/chat/completions") return answering(answerChat);
  if (endpoint === "POST /v1/embeddings") return answering(answerEmbeddings);
  const [, id] = /^GET \/v1\/models(?:\/(.+))?$/.exec(endpoint) ?? [undefined, undefined];
  return answering(async (exchange) => {
    if (!endpoint.startsWith("GET /v1/models")) exchange.answer(withId(exchange, notFound()), "error");
    else exchange.answer(ok(exchange, id === undefined ? listModels() : describeModel(id)), "served");
  });
};

/** Checks the key first, and turns a refusal into its answer. */
function answering(answer: Operation): Operation {
  return async (exchange, stage) => {
    try {
      requireKey(exchange, stage.apiKey);
      await answer(exchange, stage);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      exchange.answer(withId(exchange, refusalAnswer(error)), "error");
    }
  };
}

async function answerChat(exchange: Exchange, stage: Stage): Promise<void> {
  const body = parseBody(await exchange.body());
  exchange.record.stream = body.stream === true;
  exchange.record.model = typeof body.model === "string" ? body.model : "";
  const request = decodeChat(body);
  const fault = chooseFault(request.fault, stage, exchange.arrival.ordinal);
  const script = writeScript(stage.seed, request.prompt);
  const input = acceptedInput(request, script.inputTokens, stage, fault);
  const errorAnswer = (asked: Fault) => withId(exchange, faultAnswer(asked));
  if (!(await playBefore(exchange, fault, input, errorAnswer))) return;

  const head = replyHead(exchange.arrival, request.model);
  const usage = fault?.noUsage ? undefined : encodeUsage(script, input);
  if (!request.stream) {
    // Mistral does not count thoughts apart.
    const output = { outputTokens: script.outputTokens, reasoningTokens: 0 };
    await playUnary(exchange, fault, ok(exchange, encodeReply(head, script, usage)), output, errorAnswer);
    return;
  }
  const { headers } = withId(exchange, { status: 200, headers: STREAM_HEADERS, body: "" });
  const frames = encodeStream(script, { head, usage, random: exchange.arrival.random });
  await playStream(exchange, fault, headers, frames, (shown) => `data: ${faultBody(shown)}\n\n`);
}

async function answerEmbeddings(exchange: Exchange, stage: Stage): Promise<void> {
  const body = parseBody(await exchange.body());
  exchange.record.model = typeof body.model === "string" ? body.model : "";
  const request = decodeEmbeddings(body);
  const inputs = request.inputs.map((text) => directed(text));
  const asked = inputs.findLast((one) => one.fault !== undefined)?.fault;
  const fault = chooseFault(asked, stage, exchange.arrival.ordinal);
  const errorAnswer = (shown: Fault) => withId(exchange, faultAnswer(shown));
  const input = { inputTokens: request.inputTokens, cachedInputTokens: 0, cacheWriteTokens: 0 };
  if (!(await playBefore(exchange, fault, input, errorAnswer))) return;
  const texts = inputs.map((one) => one.text);
  const reply = encodeEmbeddings(exchange.arrival, request, texts, fault?.noUsage !== true);
  await playUnary(exchange, fault, ok(exchange, reply), { outputTokens: 0, reasoningTokens: 0 }, errorAnswer);
}

const STREAM_HEADERS = { "content-type": "text/event-stream; charset=utf-8" };

function ok(exchange: Exchange, reply: object): Answer {
  const body = JSON.stringify(reply);
  return withId(exchange, { status: 200, headers: { "content-type": "application/json" }, body });
}

function withId(exchange: Exchange, answer: Answer): Answer {
  const { id } = exchange.arrival;
  return { ...answer, headers: { ...answer.headers, "mistral-correlation-id": id } };
}
