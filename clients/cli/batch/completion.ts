/** What became of a request, as a line of OpenAI's batch output, with what it cost. */
import type { ChatResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { BatchResult, Job } from "../../../gen/ts/llmgateway/v1/job_pb.ts";
import type { Message } from "../../../gen/ts/llmgateway/v1/message_pb.ts";

/** A line without its end. */
export function encodeResult({ customId, job, response }: BatchResult): string {
  const answered = response && {
    status_code: 200,
    request_id: response.requestId,
    body: completionOf(response, job),
  };
  return JSON.stringify({
    id: job?.jobId ?? "",
    custom_id: customId,
    response: answered ?? null,
    error: answered ? null : errorOf(job),
    // Of a request that was answered it stands in the body.
    ...(answered ? {} : { llmgateway: costOf(job) }),
  });
}

function completionOf(reply: ChatResponse, job: Job | undefined) {
  const { cost } = reply;
  const choices = reply.choices.length > 0 ? reply.choices : [{ index: 0, ...reply }];
  return {
    id: `chatcmpl-${job?.jobId ?? reply.requestId}`,
    object: "chat.completion",
    created: Number(job?.endedAt?.seconds ?? 0n),
    model: reply.model,
    choices: choices.map(({ index, message, finishReason }) => ({
      index,
      message: messageOf(message),
      logprobs: null,
      // The gateway's own reason, which OpenAI has no word for, cuts the text as `length` does.
      finish_reason: finishReason === "budget_exceeded" ? "length" : finishReason,
    })),
    usage: {
      prompt_tokens: cost?.inputTokens ?? 0,
      completion_tokens: cost?.outputTokens ?? 0,
      total_tokens: cost?.totalTokens ?? 0,
      prompt_tokens_details: { cached_tokens: cost?.cachedInputTokens ?? 0 },
      completion_tokens_details: { reasoning_tokens: cost?.reasoningTokens ?? 0 },
    },
    llmgateway: {
      ...costOf(job),
      provider: reply.provider,
      finish_reason: reply.finishReason,
      provenance: cost?.provenance,
      price_version: cost?.priceVersion,
    },
  };
}

function messageOf(message: Message | undefined) {
  const parts = (message?.parts ?? []).map(({ part }) => part);
  const text = parts.map((part) => (part.case === "text" ? part.value : "")).join("");
  const refusal = parts.map((part) => (part.case === "refusal" ? part.value : "")).join("");
  const calls = parts.flatMap((part) => (part.case === "toolCall" ? [part.value] : []));
  const content = `${message?.content ?? ""}${text}`;
  return {
    role: "assistant",
    content: content === "" && (refusal !== "" || calls.length > 0) ? null : content,
    refusal: refusal || null,
    ...(calls.length === 0
      ? {}
      : {
          tool_calls: calls.map(({ id, name, arguments: args, input }) =>
            input
              ? { id, type: "custom", custom: { name, input } }
              : { id, type: "function", function: { name, arguments: args } },
          ),
        }),
  };
}

function errorOf(job: Job | undefined) {
  const { status = "", failure } = job ?? {};
  if (failure && status === "failed") return { code: failure.kind, message: failure.message };
  if (status === "cancelled") return { code: "job_cancelled", message: "the job was cancelled" };
  if (status === "expired") return { code: "job_expired", message: "the job was not begun in time" };
  return { code: "result_expired", message: "the job was answered, but its answer is not stored any more" };
}

/** Of all runs; without the figures when they are not known. */
function costOf(job: Job | undefined) {
  return { cost_usd: job?.costUsd, cost_pico_usd: job?.costPicoUsd?.toString() };
}
