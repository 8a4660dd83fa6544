/**
 * A reply on its way up the stack: batches of events, the same for unary calls
 * and streams. A unary reply is the fold of its events.
 */
import type {
  ChatResponse,
  Choice,
  StreamResponse,
  ToolCallDelta,
} from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Embedding, EmbedResponse } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import type { Message, Part, Reasoning, ToolCall } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";

/** All events that one read of the provider brought. Never empty. */
export type Batch = readonly StreamResponse[];

export interface Reply {
  /** Ends after the event with `done`, or throws a Failure. Can be read once. */
  readonly events: AsyncIterable<Batch>;
  /** What embeddings come to, in the order of the input; their only event is `done`. */
  readonly embeddings?: readonly Embedding[];
  /** The whole answer, where it was gathered before: its events are not read then. */
  readonly whole?: Whole;
}

export interface Whole {
  readonly content: Content;
  /** Undefined until the call is told. */
  readonly receipt: Receipt | undefined;
}

/** What a whole reply says, without what it cost. */
export type Content = Pick<
  ChatResponse,
  "$typeName" | "response" | "message" | "toolCalls" | "finishReason" | "choices"
>;

/** A bare event. Object literals, since `create` costs more than all else in a stream. */
export function event(fields: Omit<StreamResponse, "$typeName">): StreamResponse {
  return { $typeName: "llmgateway.v1.StreamResponse", ...fields };
}

/** The reply to a request for embeddings. */
export function embedded(embeddings: readonly Embedding[]): Reply {
  async function* events(): AsyncGenerator<Batch> {
    yield [event({ done: true })];
  }
  return { embeddings, events: events() };
}

/** The same events; `end` is called once they have ended, failed, or are read no further. */
export async function* endAfter(events: AsyncIterable<Batch>, end: () => void): AsyncGenerator<Batch> {
  try {
    yield* events;
  } finally {
    end();
  }
}

export function reasoning(fields: Partial<Omit<Reasoning, "$typeName">>): Reasoning {
  return { $typeName: "llmgateway.v1.Reasoning", text: "", signature: "", redacted: "", ...fields };
}

export function toolCallDelta(index: number, fields: Partial<ToolCallDelta>): ToolCallDelta {
  return { $typeName: "llmgateway.v1.ToolCallDelta", ...fields, index };
}

/** Whether an event carries something that the model said, and so commits the call. */
export function isContent(event: StreamResponse): boolean {
  return (
    event.token !== undefined ||
    event.toolCall !== undefined ||
    event.reasoning !== undefined ||
    event.refusal !== undefined ||
    event.providerPart !== undefined
  );
}

/**
 * Gathers a whole reply.
 *
 * @throws Failure as the events do
 */
export async function fold({ events, whole }: Reply): Promise<ChatResponse> {
  if (whole) return { ...whole.content, ...told(whole.receipt) };
  const gathered = new Choices();
  let receipt: Receipt | undefined;
  for await (const batch of events) {
    for (const event of batch) {
      gathered.add(event);
      if (event.done) receipt = event.receipt;
    }
  }
  const done = gathered.list();
  const first = done[0] ?? new Draft().choice(0, gathered.finishReason);
  return {
    $typeName: "llmgateway.v1.ChatResponse",
    response: textOf(first.message),
    message: first.message,
    toolCalls: toolCallsOf(first.message),
    finishReason: first.finishReason,
    choices: done.length > 1 ? done : [],
    ...told(receipt),
    ...(receipt?.template ? { template: receipt.template } : {}),
  };
}

/** What it says. */
export function contentOf({ response, message, toolCalls, finishReason, choices }: ChatResponse): Content {
  return {
    $typeName: "llmgateway.v1.ChatResponse",
    response,
    message,
    toolCalls,
    finishReason,
    choices,
  };
}

/**
 * Gathers the whole reply to a request for embeddings.
 *
 * @throws Failure as the events do
 */
export async function foldEmbeddings(reply: Reply): Promise<EmbedResponse> {
  let receipt: Receipt | undefined;
  for await (const batch of reply.events) receipt = batch.at(-1)?.receipt;
  return {
    $typeName: "llmgateway.v1.EmbedResponse",
    embeddings: [...(reply.embeddings ?? [])],
    ...told(receipt),
  };
}

/** The receipt's fields, as whole replies bear them. */
function told(receipt: Receipt | undefined) {
  return {
    provider: receipt?.provider ?? "",
    model: receipt?.model ?? "",
    requestId: receipt?.requestId ?? "",
    cached: receipt?.cached ?? false,
    cacheKind: receipt?.cacheKind ?? "",
    route: receipt?.route,
    cost: receipt?.cost,
    attempts: receipt?.attempts ?? [],
    dropped: receipt?.dropped ?? [],
    moderation: receipt?.moderation ?? [],
    ...(receipt?.cache ? { cache: receipt.cache } : {}),
    ...(receipt?.experiment ? { experiment: receipt.experiment } : {}),
  };
}

/** Choices while they are gathered. */
export class Choices {
  private readonly drafts = new Map<number, Draft>();
  finishReason = "";

  add(event: StreamResponse): void {
    if (event.done) this.finishReason = event.finishReason ?? "";
    else this.draft(event.index ?? 0).add(event);
  }

  /** As far as they have come, in their order. */
  list(): Choice[] {
    const drafts = [...this.drafts.entries()].sort(([a], [b]) => a - b);
    return drafts.map(([index, draft]) => draft.choice(index, this.finishReason));
  }

  private draft(index: number): Draft {
    const known = this.drafts.get(index);
    if (known) return known;
    const draft = new Draft();
    this.drafts.set(index, draft);
    return draft;
  }
}

function textOf(message: Message | undefined): string {
  const texts = message?.parts.map(({ part }) => (part.case === "text" ? part.value : "")) ?? [];
  return [message?.content ?? "", ...texts].join("");
}

function toolCallsOf(message: Message | undefined): ToolCall[] {
  const calls: ToolCall[] = [];
  for (const { part } of message?.parts ?? []) if (part.case === "toolCall") calls.push(part.value);
  return calls;
}

/** One choice while it is gathered: its pieces in the order in which they were said. */
class Draft {
  private readonly parts: Part["part"][] = [];
  private readonly calls = new Map<number, ToolCall>();
  private finishReason: string | undefined;

  add(event: StreamResponse): void {
    if (event.token !== undefined) this.say("text", event.token);
    if (event.refusal !== undefined) this.say("refusal", event.refusal);
    if (event.reasoning) this.think(event.reasoning);
    if (event.toolCall) this.call(event.toolCall);
    if (event.citation) this.parts.push({ case: "citation", value: event.citation });
    if (event.providerPart) this.parts.push({ case: "providerPart", value: event.providerPart });
    if (event.finishReason !== undefined) this.finishReason = event.finishReason;
  }

  choice(index: number, finishReason: string): Choice {
    return {
      $typeName: "llmgateway.v1.Choice",
      index,
      message: { $typeName: "llmgateway.v1.Message", role: "assistant", name: "", ...this.said() },
      finishReason: this.finishReason ?? finishReason,
    };
  }

  get text(): string {
    return this.parts.reduce((text, part) => (part.case === "text" ? text + part.value : text), "");
  }

  /** A lone text that thoughts precede, and none follow, is the content; else it keeps its place among the others. */
  private said(): Pick<Message, "content" | "parts"> {
    const texts = this.parts.filter((part) => part.case === "text");
    const first = this.parts.findIndex((part) => part.case !== "reasoning");
    const thoughtLast = this.parts.findLastIndex((part) => part.case === "reasoning");
    const isContent = texts.length === 1 && this.parts[first] === texts[0] && thoughtLast < first;
    return {
      content: isContent ? this.text : "",
      parts: this.parts
        .filter((part) => !isContent || part.case !== "text")
        .map((part) => ({ $typeName: "llmgateway.v1.Part", part })),
    };
  }

  private say(kind: "text" | "refusal", text: string): void {
    const last = this.parts.at(-1);
    if (last?.case === kind) last.value += text;
    else if (text) this.parts.push({ case: kind, value: text });
  }

  /** A signature ends what it signs, and what only the provider can read stands alone. */
  private think(piece: Reasoning): void {
    const last = this.parts.at(-1);
    if (last?.case === "reasoning" && !last.value.signature && !last.value.redacted && !piece.redacted) {
      last.value.text += piece.text;
      last.value.signature = piece.signature;
    } else this.parts.push({ case: "reasoning", value: reasoning({ ...piece }) });
  }

  private call(piece: ToolCallDelta): void {
    let call = this.calls.get(piece.index);
    if (!call) {
      call = {
        $typeName: "llmgateway.v1.ToolCall",
        id: "",
        name: "",
        arguments: "",
        input: "",
        signature: "",
      };
      this.calls.set(piece.index, call);
      this.parts.push({ case: "toolCall", value: call });
    }
    if (piece.id) call.id = piece.id;
    if (piece.name) call.name = piece.name;
    if (piece.arguments) call.arguments += piece.arguments;
    if (piece.input) call.input += piece.input;
    if (piece.signature) call.signature = piece.signature;
  }
}
