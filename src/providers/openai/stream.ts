/** OpenAI's chat stream, chunk by chunk. It knows neither sockets nor server-sent events. */
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Usage } from "../../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { Failure } from "../../core/failure.ts";
import { event } from "../../core/reply.ts";
import type { StreamDecoder } from "../dialect.ts";
import { malformed, parseObject } from "../malformed.ts";
import { integer } from "../values.ts";
import { type ChoiceClass, ChoiceDecoder } from "./choice.ts";
import { type SourceLists, sourcesOf } from "./citation.ts";
import { brokenOff, classifyInReply } from "./classify.ts";
import { decodeUsage } from "./usage.ts";

type Chunk = Partial<ChatCompletionChunk> & SourceLists;

/**
 * Usage stands in a chunk of its own, after the last choice ended, so that
 * `done` waits for `[DONE]`, or for the end where a provider leaves that out.
 * xAI tells in every chunk what was used until then: before the end it is an estimate.
 */
export class OpenAiStream implements StreamDecoder {
  usage: Usage | undefined;
  servedModel = "";
  private readonly choices: ChoiceDecoder[] = [];
  private readonly choiceClass: ChoiceClass;
  private sources: SourceLists = {};
  private over = false;

  constructor(choiceClass: ChoiceClass = ChoiceDecoder) {
    this.choiceClass = choiceClass;
  }

  push(data: string): StreamResponse[] {
    if (this.over) return [];
    // OpenAI's own client takes what follows for nothing, too.
    if (data.startsWith("[DONE]")) return this.finish();
    const chunk: Chunk = parseObject(data);
    const events: StreamResponse[] = [];
    try {
      this.note(chunk);
      const failure = classifyInReply(chunk);
      if (failure) throw failure;
      if (chunk.choices) for (const choice of chunk.choices) this.read(choice, events);
      if (chunk.usage && this.usage && this.allEnded) this.usage.provenance = "measured";
      // Once the figures in the same chunk are known for the last ones.
      const broken = chunk.choices && brokenOff(chunk.choices);
      if (broken) throw broken;
    } catch (error) {
      if (error instanceof TypeError) throw malformed(error.message, data, error);
      throw error;
    }
    return events;
  }

  end(): StreamResponse[] {
    if (this.over) return [];
    if (this.choices.length > 0 && this.allEnded) return this.finish();
    throw new Failure("cut", "the provider ended the stream before the model had finished", {
      operator: `stream closed without [DONE]; ${this.choices.length} choices had begun`,
    });
  }

  private get allEnded(): boolean {
    return this.choices.every((choice) => choice.finishReason !== undefined);
  }

  /** What a chunk says about the reply as a whole. Azure's first chunk has an empty model. */
  private note(chunk: Chunk): void {
    const usage = chunk.usage ? decodeUsage(chunk.usage, chunk.service_tier) : undefined;
    if (usage && chunk.choices?.length) usage.provenance = "estimated";
    this.usage = usage ?? this.usage;
    if (chunk.search_results || chunk.citations)
      this.sources = {
        search_results: chunk.search_results ?? this.sources.search_results,
        citations: chunk.citations ?? this.sources.citations,
      };
    if (typeof chunk.model === "string" && chunk.model !== "") this.servedModel = chunk.model;
  }

  private read(wire: Partial<ChatCompletionChunk.Choice>, events: StreamResponse[]): void {
    const choice = this.choiceOf(wire.index ?? 0);
    const { finishReason } = choice;
    choice.read(wire.delta ?? {}, wire.finish_reason, events);
    // A lone choice ends with `done`, which has its reason.
    if (choice.finishReason !== finishReason && (choice.index > 0 || this.choices.length > 1)) {
      events.push(event({ index: choice.index, finishReason: choice.finishReason }));
    }
  }

  private choiceOf(index: number): ChoiceDecoder {
    for (const choice of this.choices) if (choice.index === index) return choice;
    const choice = new this.choiceClass(integer(index));
    this.choices.push(choice);
    return choice;
  }

  private finish(): StreamResponse[] {
    const first = this.choices.find((choice) => choice.index === 0) ?? this.choices[0];
    if (!first) throw malformed("a stream without a choice", "[DONE]");
    this.over = true;
    const sources = first.cited ? [] : sourcesOf(this.sources);
    return [
      ...sources.map((citation) => event({ citation })),
      event({ done: true, finishReason: first.finishReason }),
    ];
  }
}
