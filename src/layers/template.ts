/** Makes calls of the templates that they name, so that all below sees what is really asked. It knows no texts itself. */
import { type Call, isBatch, type Layer } from "../core/call.ts";
import { invalidRequest, NOTHING_SAID } from "../core/failure.ts";
import { expand, type Room } from "../templates/expand.ts";
import type { Templates } from "../templates/templates.ts";

export function template(templates: Templates, room: Room): Layer {
  return (next) => (call) => {
    let made: Call;
    try {
      made = expanded(call, templates, room);
    } catch (error) {
      return Promise.reject(error);
    }
    return next(made);
  };
}

/**
 * The call as it is to be made; the same where it names no template.
 *
 * @throws Failure that would refuse it
 */
export function expanded(call: Call, templates: Templates, room: Room): Call {
  const { request, tally } = call;
  if (request.$typeName !== "llmgateway.v1.ChatRequest") return call;
  if (request.template === "") {
    const description = "means nothing without template; name one";
    if (Object.keys(request.variables).length > 0)
      throw invalidRequest([{ field: "variables", description }]);
    if (request.templateVersion > 0) throw invalidRequest([{ field: "template_version", description }]);
    if (request.messages.length > 0) return call;
    throw invalidRequest([NOTHING_SAID]);
  }
  const found = templates.find(request.template, request.templateVersion, FIELDS);
  tally.template = { $typeName: "llmgateway.v1.TemplateUse", name: found.name, version: found.version };
  const whole = expand(request, found, room);
  // What goes through a provider's batches is answered whole.
  const streaming = call.streaming && !(call.parking && isBatch({ request: whole }));
  return { ...call, request: whole, asked: request, streaming };
}

const FIELDS = { name: "template", version: "template_version" };
