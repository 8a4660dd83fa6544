/** Templates as a configuration has them, and requests that are made of them, without a gateway. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { type Template, TemplateSchema } from "../../gen/ts/llmgateway/v1/template_pb.ts";
import { expand } from "../../src/templates/expand.ts";
import { Templates } from "../../src/templates/templates.ts";

export const ROOM = { maxLength: 32 * 1024 * 1024 };

export type TemplateInit = Exclude<MessageInitShape<typeof TemplateSchema>, Template>;
export type RequestInit = Exclude<MessageInitShape<typeof ChatRequestSchema>, ChatRequest>;

/** @param template under the name `greet` */
export function requestOf(template: TemplateInit, request: RequestInit = {}, room = ROOM): ChatRequest {
  const templates = new Templates({ greet: create(TemplateSchema, template) });
  const found = templates.find("greet", 0, { name: "template", version: "template_version" });
  return expand(create(ChatRequestSchema, request), found, room);
}

/** What the template says, message by message. */
export function said(
  template: TemplateInit,
  variables: Readonly<Record<string, string>>,
): [role: string, content: string][] {
  return requestOf(template, { variables }).messages.map(({ role, content }) => [role, content]);
}
