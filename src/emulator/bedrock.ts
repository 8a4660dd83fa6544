/**
 * Bedrock's wire format: Converse and ConverseStream, and InvokeModel with and without a stream in the formats of
 * Claude, Titan, Llama, Mistral and Cohere, embeddings included. Paths are matched by their end, so that any base path will do.
 */
import { decodeMessage, encodeMessage, encodeMessageChunks } from "./bedrock/claude.ts";
import { completionFormat, decodeCompletion, encodeChunks, encodeCompletion } from "./bedrock/completion.ts";
import { type EmbeddingFormat, embeddingFormat } from "./bedrock/embeddings.ts";
import { faultAnswer, faultException, inStream, Refusal, refusalAnswer } from "./bedrock/errors.ts";
import { exceptionFrame } from "./bedrock/frames.ts";
import { encodeReply, writeReply } from "./bedrock/reply.ts";
import { type BedrockRequest, decodeConverse, directed, parseBody, requireModel } from "./bedrock/request.ts";
import { requireSignature } from "./bedrock/signature.ts";
import { encodeStream } from "./bedrock/stream.ts";
import { markedInput } from "./claude/input.ts";
import type { Answer, Arrival, Exchange } from "./exchange.ts";
import { chooseFault, type Fault } from "./fault.ts";
import type { Format, Stage } from "./format.ts";
import type { Fields } from "./json.ts";
import { type AcceptedInput, type Frame, playBefore, playStream, playUnary } from "./play.ts";
import { randomHex } from "./random.ts";
import { type Script, writeScript } from "./script.ts";

const PATH = /\/model\/([^/]+)\/(converse|converse-stream|invoke|invoke-with-response-stream)$/;

export const bedrockFormat: Format = (method, path) => {
  const [, model = "", operation = ""] = PATH.exec(path) ?? [];
  if (method !== "POST" || !operation) return undefined;
  return async (exchange, stage) => {
    const finish = identified(exchange.arrival);
    try {
      await answer(exchange, stage, path, decodeURIComponent(model), operation, finish);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      exchange.answer(finish(refusalAnswer(error)), "error");
    }
  };
};

type Finish = (answer: Answer) => Answer;

async function answer(
  exchange: Exchange,
  stage: Stage,
  path: string,
  model: string,
  operation: string,
  finish: Finish,
): Promise<void> {
  const { arrival, record, headers } = exchange;
  const text = await exchange.body();
  record.stream = operation.endsWith("-stream");
  record.model = model;
  requireSignature({ path, headers, body: text ?? "" }, stage.apiKey);
  requireModel(model);
  const body = parseBody(text);
  const embedding = operation === "invoke" ? embeddingFormat(model, body) : undefined;
  if (embedding) return answerEmbeddings(exchange, stage, embedding, finish);
  const asked = spoken(operation, body, model);
  const fault = chooseFault(asked.request.fault, stage, arrival.ordinal);
  const script = writeScript(stage.seed, asked.request.prompt);
  const input = markedInput({ ...asked.request, model }, script.inputTokens, stage, fault);
  const errorAnswer = (shown: Fault) => finish(faultAnswer(shown));
  if (!(await playBefore(exchange, fault, input, errorAnswer))) return;

  const played = { fault, script, input, arrival };
  if (!record.stream) {
    const counted = operation === "invoke" && !fault?.noUsage ? countHeaders(input, script.outputTokens) : {};
    const head = { status: 200, headers: { "content-type": "application/json", ...counted } };
    await playUnary(exchange, fault, finish({ ...head, body: asked.whole(played) }), script, errorAnswer);
    return;
  }
  const { headers: streamHeaders } = finish({ status: 200, headers: STREAM_HEADERS, body: "" });
  await playStream(exchange, fault, streamHeaders, asked.frames(played), (shown) => {
    const { exception, message } = faultException(shown);
    return exceptionFrame(inStream(exception), { message });
  });
}

async function answerEmbeddings(
  exchange: Exchange,
  stage: Stage,
  { texts, inputTokens, encode }: EmbeddingFormat,
  finish: Finish,
): Promise<void> {
  const asked = texts.map((text) => directed(text));
  const fault = chooseFault(
    asked.findLast((one) => one.fault !== undefined)?.fault,
    stage,
    exchange.arrival.ordinal,
  );
  const body = encode(
    asked.map(({ text }) => text),
    !fault?.noUsage,
  );
  const input = { inputTokens, cachedInputTokens: 0, cacheWriteTokens: 0 };
  const errorAnswer = (shown: Fault) => finish(faultAnswer(shown));
  if (!(await playBefore(exchange, fault, input, errorAnswer))) return;
  const counted = fault?.noUsage ? {} : countHeaders(input, 0);
  const head = { status: 200, headers: { "content-type": "application/json", ...counted } };
  await playUnary(
    exchange,
    fault,
    finish({ ...head, body }),
    { outputTokens: 0, reasoningTokens: 0 },
    errorAnswer,
  );
}

interface Played {
  readonly fault: Fault | undefined;
  readonly script: Script;
  readonly input: AcceptedInput;
  readonly arrival: Arrival;
}

/** A request, and how its answer is spelled. */
interface Spoken {
  readonly request: Pick<BedrockRequest, "prompt" | "fault" | "cache">;
  whole(played: Played): string;
  frames(played: Played): Iterable<Frame>;
}

function spoken(operation: string, body: Fields, model: string): Spoken {
  if (operation.startsWith("converse")) {
    const request = decodeConverse(body);
    const replyTo = ({ fault, script, input, arrival }: Played) =>
      writeReply({ ...request, fault }, script, input, arrival);
    return {
      request,
      whole: (played) => encodeReply(replyTo(played)),
      frames: (played) => encodeStream(replyTo(played), played.arrival.random),
    };
  }
  const format = completionFormat(model, body);
  if (format) {
    return {
      request: decodeCompletion(format, body),
      whole: ({ fault, script }) => encodeCompletion(format, script, !fault?.noUsage),
      frames: ({ fault, script, arrival }) => encodeChunks(format, script, !fault?.noUsage, arrival.random),
    };
  }
  const request = decodeMessage(body, model);
  return {
    request,
    whole: ({ fault, script, input, arrival }) =>
      encodeMessage({ ...request, fault }, script, input, arrival),
    frames: ({ fault, script, input, arrival }) =>
      encodeMessageChunks({ ...request, fault }, script, input, arrival),
  };
}

const STREAM_HEADERS = { "content-type": "application/vnd.amazon.eventstream" };

/** InvokeModel counts in its headers, whatever the model counts in its body. */
function countHeaders(input: AcceptedInput, outputTokens: number): Record<string, string> {
  const fresh = input.inputTokens - input.cachedInputTokens - input.cacheWriteTokens;
  return {
    "x-amzn-bedrock-input-token-count": String(fresh),
    "x-amzn-bedrock-output-token-count": String(outputTokens),
    "x-amzn-bedrock-cache-read-input-token-count": String(input.cachedInputTokens),
    "x-amzn-bedrock-cache-write-input-token-count": String(input.cacheWriteTokens),
    "x-amzn-bedrock-invocation-latency": "500",
  };
}

/** Twice: by Amazon's name, and by the one that the meter goes by. */
function identified({ id, random }: Arrival): Finish {
  const hex = randomHex(random, 32);
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    "-",
  );
  return (answer) => ({
    ...answer,
    headers: { ...answer.headers, "x-amzn-requestid": uuid, "x-request-id": id },
  });
}
