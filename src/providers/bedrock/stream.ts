/** Decodes one stream of Bedrock's: the events of ConverseStream, and the chunks of InvokeModelWithResponseStream. */
import type { IncomingHttpHeaders } from "node:http";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { Failure } from "../../core/failure.ts";
import { event } from "../../core/reply.ts";
import { ClaudeStream } from "../claude/stream.ts";
import type { StreamDecoder } from "../dialect.ts";
import { malformed, parseObject } from "../malformed.ts";
import { textOf } from "../values.ts";
import { BlockDecoder, fieldsOf } from "./blocks.ts";
import { classifyInStream } from "./classify.ts";
import { type Piece, readPiece } from "./completion.ts";
import { servedModel, serviceTier } from "./converse.ts";
import { decodeFinishReason } from "./finish.ts";
import { converseFigures, type Figures, headerTier, metricFigures, usageOf } from "./usage.ts";

type Fields = Readonly<Record<string, unknown>>;

const METRICS = "amazon-bedrock-invocationMetrics";

export class BedrockStream implements StreamDecoder {
  servedModel = "";
  private readonly blocks = new BlockDecoder();
  private reason = "";
  private tier: string;
  /**
   * The model's own figures, and beneath them Bedrock's metrics. The two disagree
   * where Claude calls tools: of two calls that it counts as 134 tokens the
   * metrics have 90, fewer than the arguments alone come to. The model's own are
   * those that Converse and the reply's headers tell as well, so that they are
   * taken for what is paid, and the metrics where there are none.
   */
  private counted: Figures = {};
  private metrics: Figures = {};
  private over = false;
  /** Claude's own format is a stream within the stream. */
  private claude: ClaudeStream | undefined;

  constructor(headers: IncomingHttpHeaders = {}) {
    this.tier = headerTier(headers);
  }

  get usage(): Usage | undefined {
    const claude = this.claude?.usage;
    const isClaudes = claude?.provenance === "measured" || usageOf(this.metrics) === undefined;
    if (!claude || !isClaudes) return this.counts();
    return { ...claude, serviceTier: this.tier || claude.serviceTier };
  }

  private counts(): Usage | undefined {
    return usageOf({ ...this.metrics, ...this.counted }, this.tier);
  }

  push(data: string): StreamResponse[] {
    const events: StreamResponse[] = [];
    try {
      for (const [type, payload] of Object.entries(parseObject(data))) this.read(type, payload, events);
    } catch (error) {
      if (error instanceof TypeError) throw malformed(error.message, data, error);
      throw error;
    }
    return events;
  }

  end(): StreamResponse[] {
    if (this.claude) return this.claude.end();
    const events: StreamResponse[] = [];
    this.finish(events);
    if (this.over) return events;
    throw new Failure("cut", "the provider ended the stream before the model had finished", {
      operator: "event stream closed without a reason to stop",
    });
  }

  /** What is neither known nor a failure is new, and does no harm. */
  private read(type: string, payload: unknown, events: StreamResponse[]): void {
    const fields = fieldsOf(payload);
    if (type === "contentBlockDelta") this.blocks.delta(fields.contentBlockIndex, fields.delta, events);
    else if (type === "contentBlockStart") this.blocks.start(fields.contentBlockIndex, fields.start, events);
    else if (type === "contentBlockStop") this.blocks.stop(fields.contentBlockIndex, events);
    else if (type === "messageStop") this.reason = textOf(fields.stopReason);
    else if (type === "metadata") this.readMetadata(fields, events);
    else if (type === "chunk") this.readChunk(textOf(fields.bytes), events);
    else if (FAILURE.test(type)) throw classifyInStream(type, payload);
  }

  /** It comes last, behind `messageStop`. */
  private readMetadata(fields: Fields, events: StreamResponse[]): void {
    this.counted = { ...this.counted, ...converseFigures(fieldsOf(fields.usage)) };
    this.tier = serviceTier(fields) || this.tier;
    this.servedModel = servedModel(fields) || this.servedModel;
    this.finish(events);
  }

  private readChunk(base64: string, events: StreamResponse[]): void {
    const text = Buffer.from(base64, "base64").toString();
    const chunk = fieldsOf(parseObject(text));
    const metrics = chunk[METRICS];
    if (metrics !== undefined) this.metrics = metricFigures(fieldsOf(metrics));
    const piece = readPiece(chunk);
    if (piece) this.readPiece(piece, events);
    else if (typeof chunk.type === "string") this.readMessage(text, events);
    else
      for (const [type, payload] of Object.entries(chunk))
        if (CONVERSE_EVENTS.has(type)) this.read(type, payload, events);
  }

  private readPiece({ text, stopReason, figures }: Piece, events: StreamResponse[]): void {
    if (text) events.push(event({ token: text }));
    this.counted = { ...this.counted, ...figures };
    this.reason = stopReason || this.reason;
  }

  private readMessage(text: string, events: StreamResponse[]): void {
    this.claude ??= new ClaudeStream();
    events.push(...this.claude.push(text));
    this.servedModel = this.claude.servedModel || this.servedModel;
  }

  private finish(events: StreamResponse[]): void {
    if (this.over || !this.reason) return;
    this.over = true;
    events.push(event({ done: true, finishReason: decodeFinishReason(this.reason) }));
  }
}

/** An exception, or an error of the framing's own. */
const FAILURE = /(?:exception|error|failure)$/i;

/** Nova's own format has them too, beside what Bedrock adds to every chunk. */
const CONVERSE_EVENTS: ReadonlySet<string> = new Set([
  "messageStart",
  "contentBlockStart",
  "contentBlockDelta",
  "contentBlockStop",
  "messageStop",
  "metadata",
]);
