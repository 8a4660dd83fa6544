/**
 * Anthropic's wire format, also as Vertex AI serves it: which paths it serves, and what each of them answers. Messages
 * are matched by the end of the path, so that any base path will do; the models only below `/anthropic`, as OpenAI has
 * a path of the same name.
 */

import { errorBody, faultAnswer, faultError, Refusal, refusalAnswer, wrongKey } from "./claude/errors.ts";
import { markedInput } from "./claude/input.ts";
import { describeModel, listModels } from "./claude/models.ts";
import { encodeReply, writeReply } from "./claude/reply.ts";
import { decodeRequest, type MessageRequest, parseBody } from "./claude/request.ts";
import { encodeStream, sse } from "./claude/stream.ts";
import type { Answer, Exchange } from "./exchange.ts";
import { chooseFault, type Fault } from "./fault.ts";
import type { Format, Operation, Stage } from "./format.ts";
import { playBefore, playStream, playUnary } from "./play.ts";
import { type Script, writeScript } from "./script.ts";

const ON_VERTEX = /\/publishers\/anthropic\/models\/([^/:]+):(rawPredict|streamRawPredict)$/;

export const claudeFormat: Format = (method, path) => {
  const [, model, verb] = ON_VERTEX.exec(path) ?? [];
  if (method === "POST" && (path.endsWith("/v1/messages") || verb !== undefined)) {
    return answering((exchange, stage) => answerMessage(exchange, stage, model && decodeURIComponent(model)));
  }
  const models = /\/anthropic\/v1\/models(?:\/(.+))?$/.exec(path);
  if (method !== "GET" || models === null) return undefined;
  return answering(async (exchange) => {
    const [, id] = models;
    exchange.answer(
      ok(exchange, JSON.stringify(id === undefined ? listModels() : describeModel(id))),
      "served",
    );
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
      exchange.answer(withId(exchange, refusalAnswer(error, exchange.arrival.id)), "error");
    }
  };
}

/** @param named in the path, where it stands there */
async function answerMessage(exchange: Exchange, stage: Stage, named: string | undefined): Promise<void> {
  const { arrival, record } = exchange;
  const body = parseBody(await exchange.body());
  record.stream = body.stream === true;
  record.model = named ?? (typeof body.model === "string" ? body.model : "");
  const asked = decodeRequest(body, record.model);
  const fault = chooseFault(asked.fault, stage, arrival.ordinal);
  const request: MessageRequest = { ...asked, fault };
  const script = scriptOf(request, stage.seed);
  const input = markedInput(request, script.inputTokens, stage, fault);
  const errorAnswer = (shown: Fault) => withId(exchange, faultAnswer(shown, arrival.id));
  if (!(await playBefore(exchange, fault, input, errorAnswer))) return;

  const reply = writeReply(request, script, input, arrival, stopSequenceOf(request, script, stage.seed));
  if (!request.stream) {
    await playUnary(exchange, fault, ok(exchange, encodeReply(reply)), script, errorAnswer);
    return;
  }
  const { headers } = withId(exchange, { status: 200, headers: STREAM_HEADERS, body: "" });
  await playStream(exchange, fault, headers, encodeStream(reply, arrival.random), (shown) =>
    sse({ type: "error", ...errorBody(faultError(shown), arrival.id) }),
  );
}

function scriptOf({ prompt, refused }: MessageRequest, seed: number): Script {
  const script = writeScript(seed, prompt);
  if (!refused) return script;
  return { ...script, choices: [], outputTokens: 0, reasoningTokens: 0 };
}

/** Which of the stop sequences ended the text, if one did: the one that would have come next. */
function stopSequenceOf({ prompt }: MessageRequest, { choices }: Script, seed: number): string | null {
  const [choice] = choices;
  if (prompt.stop.length === 0 || choice?.finish !== "stop") return null;
  const [whole] = writeScript(seed, { ...prompt, stop: [] }).choices;
  const rest = textOf(whole).slice(textOf(choice).length);
  return prompt.stop.find((sequence) => rest.startsWith(sequence)) ?? null;
}

function textOf(choice: Script["choices"][number] | undefined): string {
  return (choice?.pieces ?? []).map((piece) => (piece.kind === "text" ? piece.text : "")).join("");
}

/** Keys come in a header of their own, from newer clients as a bearer token. */
function requireKey(exchange: Exchange, key: string | undefined): void {
  if (key === undefined) return;
  const { authorization, "x-api-key": own } = exchange.headers;
  const presented = own?.toString() ?? authorization?.replace(/^Bearer\s+/i, "");
  if (presented !== key) throw wrongKey(presented);
}

const STREAM_HEADERS = { "content-type": "text/event-stream; charset=utf-8" };
const JSON_HEADERS = { "content-type": "application/json" };

function ok(exchange: Exchange, body: string): Answer {
  return withId(exchange, { status: 200, headers: JSON_HEADERS, body });
}

/** Twice: by Anthropic's name, and by the one that the meter goes by. */
function withId(exchange: Exchange, answer: Answer): Answer {
  const { id } = exchange.arrival;
  return { ...answer, headers: { ...answer.headers, "request-id": id, "x-request-id": id } };
}
