/** What makes two requests the same: a hash of all that an answer can hang on. It knows no answer. */
import { hash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";

/** For whom answers are the same, and of whom. */
export interface Scope {
  readonly tenant: string;
  readonly cacheScope: string;
  /** Of which model or alias it is an answer, whatever it was called by. */
  readonly family: string;
}

/** @returns 43 characters that tell nothing of the request */
export function keyOf(request: ChatRequest, { tenant, cacheScope, family }: Scope): string {
  const said = toBinary(ChatRequestSchema, { ...create(ChatRequestSchema), ...saidIn(request) });
  const whose = JSON.stringify([tenant, cacheScope, family]);
  return hash("sha256", Buffer.concat([Buffer.from(whose), said]), "base64url");
}

function saidIn({ messages, parameters, tools, toolChoice, responseFormat, extraBody }: ChatRequest) {
  return {
    messages,
    tools,
    toolChoice,
    ...(parameters ? { parameters } : {}),
    ...(responseFormat ? { responseFormat } : {}),
    ...(extraBody ? { extraBody } : {}),
  };
}
