/** What each RPC about templates does: tells which there are, and what one is with given values. Nobody is called. */
import { create, type DescMethod } from "@bufbuild/protobuf";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { ParametersSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import {
  type ListTemplatesRequest,
  type ListTemplatesResponse,
  ListTemplatesResponseSchema,
  type RenderTemplateRequest,
  type RenderTemplateResponse,
  RenderTemplateResponseSchema,
  type TemplateVersion,
} from "../../gen/ts/llmgateway/v1/template_pb.ts";
import { Failure } from "../core/failure.ts";
import type { CompiledTemplate } from "../templates/compile.ts";
import { type Room, renderMessages } from "../templates/expand.ts";
import type { Templates } from "../templates/templates.ts";
import type { Handler } from "./door.ts";

/** Read anew for each request, since a reload replaces it. */
export interface Shelf {
  readonly templates: Templates;
  readonly room: Room;
}

export function templateHandlers(shelf: () => Shelf): [DescMethod, Handler][] {
  const { listTemplates, renderTemplate } = GatewayService.method;
  return [
    [
      listTemplates,
      async (message) => ({ message: list(shelf().templates, message as ListTemplatesRequest) }),
    ],
    [renderTemplate, async (message) => ({ message: render(shelf(), message as RenderTemplateRequest) })],
  ];
}

function list(templates: Templates, { name }: ListTemplatesRequest): ListTemplatesResponse {
  const named = name ? templates.all.filter((template) => template.name === name) : templates.all;
  if (name && named.length === 0) {
    const description = "there is no such template; list them without a name";
    throw new Failure("not_found", `name: ${description}`, { violations: [{ field: "name", description }] });
  }
  return create(ListTemplatesResponseSchema, {
    templates: named.map((template) => tell(template, templates.isLatest(template), name !== "")),
  });
}

function tell(
  { name, version, source, variables }: CompiledTemplate,
  latest: boolean,
  texts: boolean,
): TemplateVersion {
  const template = {
    ...source,
    variables: Object.fromEntries(variables),
    ...(texts ? {} : { prompt: "", messages: [] }),
  };
  return { $typeName: "llmgateway.v1.TemplateVersion", name, version, latest, template };
}

function render({ templates, room }: Shelf, request: RenderTemplateRequest): RenderTemplateResponse {
  const found = templates.find(request.name, request.templateVersion, {
    name: "name",
    version: "template_version",
  });
  const { name, version, source, parameters = create(ParametersSchema) } = found;
  return create(RenderTemplateResponseSchema, {
    template: { name, version },
    messages: renderMessages(found, request.variables, room),
    model: source.model,
    modelVersion: source.modelVersion,
    parameters,
  });
}
