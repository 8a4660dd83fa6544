/** A conversation in which a tool is called, by the TypeScript client: what each answer came to, whoever the provider. */
import { create } from "@bufbuild/protobuf";
import {
  createGateway,
  type Gateway,
  type Message,
  type Receipt,
} from "../../clients/typescript/src/node.ts";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { MessageSchema, type ToolCall, ToolCallSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";

/** One answer, in the form that is the same for every provider. */
export interface Turn {
  readonly requestId: string;
  readonly text: string;
  readonly finishReason: string;
  readonly tool: string;
  readonly arguments: string;
  readonly provenance: string;
  readonly costPicoUsd: string;
}

export async function converse(url: string, model: string, streaming: boolean): Promise<Turn[]> {
  const gateway = createGateway({ baseUrl: url, retry: false });
  const request = create(ChatRequestSchema, {
    model,
    messages: [
      { role: "system", content: "You are brief." },
      { role: "user", content: "Call get_weather for Paris" },
    ],
    tools: [
      {
        name: "get_weather",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    ],
  });
  const turns: Turn[] = [];
  for (const _ of [1, 2]) {
    const answer = streaming ? await stream(gateway, request) : await whole(gateway, request);
    turns.push(turnOf(answer));
    request.messages.push(answer.message, ...answer.calls.map(resultOf));
  }
  return turns;
}

interface Answer {
  readonly message: Message;
  readonly calls: readonly ToolCall[];
  readonly finishReason: string;
  readonly told: Pick<Receipt, "cost" | "requestId">;
}

async function whole(gateway: Gateway, request: ChatRequest): Promise<Answer> {
  const reply = await gateway.chat(request);
  const { message = create(MessageSchema), toolCalls, finishReason } = reply;
  return { message, calls: toolCalls, finishReason, told: reply };
}

async function stream(gateway: Gateway, request: ChatRequest): Promise<Answer> {
  const message = create(MessageSchema, { role: "assistant" });
  const calls: ToolCall[] = [];
  let finishReason = "";
  const events = gateway.stream(request);
  for await (const event of events) {
    message.content += event.token ?? "";
    if (event.toolCall) {
      const { index, id = "", name = "", arguments: more = "", signature = "" } = event.toolCall;
      calls[index] ??= create(ToolCallSchema);
      calls[index].id += id;
      calls[index].name += name;
      calls[index].arguments += more;
      calls[index].signature += signature;
    }
    if (event.done) finishReason = event.finishReason ?? "";
  }
  const parts = calls.map((value) => ({ part: { case: "toolCall" as const, value } }));
  const said = create(MessageSchema, { role: "assistant", content: message.content, parts });
  return { message: said, calls, finishReason, told: await events.receipt };
}

function resultOf({ id }: ToolCall): Message {
  const value = { toolCallId: id, content: "sunny" };
  return create(MessageSchema, { role: "tool", parts: [{ part: { case: "toolResult", value } }] });
}

function turnOf({ message, calls, finishReason, told }: Answer): Turn {
  return {
    requestId: told.requestId,
    text: message.content,
    finishReason,
    tool: calls[0]?.name ?? "",
    arguments: calls[0]?.arguments ?? "",
    provenance: told.cost?.provenance ?? "",
    costPicoUsd: String(told.cost?.actualPicoUsd ?? ""),
  };
}
