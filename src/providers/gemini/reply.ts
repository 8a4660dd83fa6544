/** Google's reply out of its elements: one for a whole reply, many for a stream. It knows no framing. */
import type { IncomingHttpHeaders } from "node:http";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { Failure } from "../../core/failure.ts";
import { event, isContent } from "../../core/reply.ts";
import { providerFailure } from "../failure.ts";
import { isObject, malformed } from "../malformed.ts";
import { integer } from "../values.ts";
import type { Candidate, Reply, UsageMetadata } from "./api.ts";
import { madeUpId } from "./call_id.ts";
import { CandidateDecoder } from "./candidate.ts";
import { classifyInReply } from "./classify.ts";
import { isBroken } from "./finish.ts";
import { decodeUsage, mergeUsage } from "./usage.ts";

export class ReplyDecoder {
  servedModel = "";
  private readonly servedTier: string | undefined;
  private readonly candidates: CandidateDecoder[] = [];
  private metadata: UsageMetadata | undefined;
  private responseId = "";
  private calls = 0;
  private spoke = false;
  private complete = false;

  constructor(headers: IncomingHttpHeaders) {
    this.servedTier = headers["x-gemini-service-tier"]?.toString();
  }

  /** Until the answer is complete, its figures may lack what was written since. */
  get usage(): Usage | undefined {
    const usage = this.metadata && decodeUsage(this.metadata, this.servedTier);
    const uncounted = this.spoke && usage?.outputTokens === 0;
    if (usage && (!this.complete || uncounted)) usage.provenance = "estimated";
    return usage;
  }

  /**
   * The events of one element.
   *
   * @throws Failure for an error in it, for a prompt that was blocked, or `malformed_reply`
   */
  take(element: unknown): StreamResponse[] {
    const events: StreamResponse[] = [];
    if (!isObject(element)) throw malformed("not a JSON object", JSON.stringify(element));
    const reply: Reply = element;
    try {
      this.note(reply);
      this.refuse(reply);
      reply.candidates?.forEach((candidate, position) => {
        this.candidateOf(candidate, position).read(candidate, events);
      });
    } catch (error) {
      if (error instanceof TypeError) throw malformed(error.message, JSON.stringify(element), error);
      throw error;
    } finally {
      this.spoke ||= events.some(isContent);
    }
    return events;
  }

  /**
   * There are no more elements. Each may bear a reason to stop, so that the last one counts.
   *
   * @throws Failure `cut` when the model had not finished, `malformed_reply` when it wrote nothing of use
   */
  finish(): StreamResponse[] {
    const first = this.candidates.find(({ index }) => index === 0) ?? this.candidates[0];
    if (!first || this.candidates.some(({ stopped }) => !stopped)) {
      throw new Failure("cut", "the provider ended the reply before the model had finished", {
        operator: `no finishReason; ${this.candidates.length} candidates had begun`,
      });
    }
    this.complete = true;
    const events: StreamResponse[] = [];
    for (const candidate of this.candidates) {
      const { index, finishReason, stopped, finishMessage } = candidate;
      if (isBroken(stopped)) {
        throw new Failure("malformed_reply", "the model wrote a tool call that cannot be read; try again", {
          operator: `finishReason ${stopped}: ${finishMessage}`,
        });
      }
      candidate.finish(events);
      if (this.candidates.length > 1) events.push(event({ index, finishReason }));
    }
    events.push(event({ done: true, finishReason: first.finishReason }));
    return events;
  }

  private note({ usageMetadata, modelVersion, responseId }: Reply): void {
    if (isObject(usageMetadata)) this.metadata = mergeUsage(this.metadata, usageMetadata);
    if (typeof modelVersion === "string") this.servedModel = modelVersion;
    if (typeof responseId === "string") this.responseId = responseId;
  }

  private refuse(reply: Reply): void {
    const failure = classifyInReply(reply);
    if (failure) throw failure;
    const { blockReason, blockReasonMessage } = reply.promptFeedback ?? {};
    if (!blockReason || reply.candidates?.length) return;
    this.complete = true;
    throw providerFailure({
      kind: "content_filtered",
      status: 200,
      message: typeof blockReasonMessage === "string" ? blockReasonMessage : "",
      facts: { blockReason: String(blockReason) },
      raw: JSON.stringify(reply),
      retryAfterMs: undefined,
    });
  }

  private candidateOf({ index }: Candidate, position: number): CandidateDecoder {
    const wanted = integer(index ?? position);
    for (const candidate of this.candidates) if (candidate.index === wanted) return candidate;
    const candidate = new CandidateDecoder(wanted, () => madeUpId(this.responseId, this.calls++));
    this.candidates.push(candidate);
    return candidate;
  }
}
