/** One line of a batch: read as a chat request, and answered as the request alone would have been. */
import type { BatchLine } from "../batches.ts";
import type { Answer } from "../exchange.ts";
import { chooseFault, refuses } from "../fault.ts";
import type { Stage } from "../format.ts";
import { asObject, type Fields, parseFields } from "../json.ts";
import { randomAlphanumeric } from "../random.ts";
import { writeScript } from "../script.ts";
import { faultAnswer, Refusal, refusalAnswer } from "./errors.ts";
import { acceptedInput } from "./input.ts";
import { encodeReply, encodeUsage, replyHead } from "./reply.ts";
import { decodeChat, decodeModel, type directed } from "./request.ts";

const PATH = "/v1/chat/completions";

/** Undefined for a line that is no request. */
export function decodeLine(text: string, stage: Stage): BatchLine | undefined {
  const { custom_id: customId, method, url, body } = parseFields(text) ?? {};
  if (typeof customId !== "string" || method !== "POST" || url !== PATH) return undefined;
  const request = asObject(body);
  const fault = faultOf(request);
  return {
    customId,
    model: request.model,
    takesMs: fault?.hang ? undefined : stage.batchMs + (fault?.delayMs ?? 0),
    serve: () => serveLine(customId, request, stage),
  };
}

/** One that was not served. */
export function unservedLine(customId: string, id: string, code: string, message: string): string {
  return JSON.stringify({ id, custom_id: customId, response: null, error: { code, message } });
}

function serveLine(customId: string, body: Fields, stage: Stage): ReturnType<BatchLine["serve"]> {
  const arrival = stage.arrive();
  const record = stage.meter.open(arrival.id, PATH);
  const { status, body: text } = answerLine(body, stage, arrival, record);
  record.status = status;
  record.bytesWritten = Buffer.byteLength(text);
  const ok = status < 300;
  stage.meter.close(record, ok ? "served" : "error");
  const response = { status_code: status, request_id: arrival.id, body: JSON.parse(text) };
  const id = `batch_req_${randomAlphanumeric(arrival.random, 24)}`;
  return { ok, text: JSON.stringify({ id, custom_id: customId, response, error: null }) };
}

/** Of the faults, those that refuse, and a usage that is left out: a line has no connection to break. */
function answerLine(
  body: Fields,
  stage: Stage,
  arrival: ReturnType<Stage["arrive"]>,
  record: ReturnType<Stage["meter"]["open"]>,
): Pick<Answer, "status" | "body"> {
  try {
    const model = decodeModel(body, undefined);
    record.model = model;
    const request = decodeChat(body, model);
    if (request.stream) throw new Refusal(400, "Streaming is not supported in batches.", null, "stream");
    const fault = chooseFault(request.fault, stage, arrival.ordinal);
    if (fault?.name) record.fault = fault.name;
    if (fault?.mark !== undefined) record.mark = fault.mark;
    if (fault !== undefined && refuses(fault)) return faultAnswer(fault, false);
    const script = writeScript(stage.seed, request.prompt);
    const input = acceptedInput(request, script.inputTokens, stage, fault);
    const { outputTokens, reasoningTokens } = script;
    Object.assign(record, input, { outputTokens, reasoningTokens });
    const usage = fault?.noUsage ? undefined : encodeUsage(model, script, input);
    const head = replyHead(stage.seed, arrival, model, false);
    return { status: 200, body: encodeReply(head, request, script, usage, false) };
  } catch (error) {
    if (error instanceof Refusal) return refusalAnswer(error, false);
    throw error;
  }
}

/** What the question asks for, where the line can be read; what cannot is refused when it is served. */
function faultOf(body: Fields): ReturnType<typeof directed>["fault"] {
  try {
    return decodeChat(body, decodeModel(body, undefined)).fault;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}
