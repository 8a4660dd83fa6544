/**
 * Holds a request against what its model is known not to do: refuses it by each field and with the fix, or
 * leaves out what may be left out where the provider's configuration says so.
 */
import type { Layer, RoutedCall } from "../core/call.ts";
import { isDroppable, withoutFields } from "../core/droppable.ts";
import { Failure, invalidRequest } from "../core/failure.ts";
import { CONTEXT_FIELD, type Unmet, unmetNeeds } from "../cost/capabilities.ts";
import type { ModelPrice } from "../cost/catalog.ts";
import type { Models } from "../routing/eligible.ts";

export function suit(models: Models): Layer<RoutedCall> {
  return (next) => (call) => {
    const { request, streaming, target, tally } = call;
    const model = models.find(target);
    const unmet = model ? unmetNeeds(request, streaming, model) : [];
    if (unmet.length === 0) return next(call);
    const dropped = models.drops(target.provider)
      ? unmet.map(({ field }) => field).filter((field) => isDroppable(field))
      : [];
    const held = unmet.filter(({ field }) => !dropped.includes(field));
    if (held.length > 0) return Promise.reject(refusal(call, held, models));
    return next({ ...call, request: withoutFields(request, dropped, tally) });
  };
}

function refusal(
  { target, request, streaming }: RoutedCall,
  held: readonly Unmet[],
  models: Models,
): Failure {
  const suits = (model: ModelPrice) =>
    held.every(({ met }) => met(model)) && unmetNeeds(request, streaming, model).length === 0;
  const [other] = models.offered(target.provider).find(([, model]) => suits(model)) ?? [];
  const violations = held.map(({ field, lack, wanted, instead }) => {
    const such = other ? `, such as ${other}` : "";
    const fix = `${instead ? `${instead}, or ` : ""}choose a model ${wanted}${such}`;
    return { field, description: `${target.provider}/${target.model} ${lack}; ${fix}` };
  });
  const [first] = violations;
  if (first && held.every(({ field }) => field === CONTEXT_FIELD)) {
    return new Failure("context_too_long", `${first.field}: ${first.description}`, { violations });
  }
  return invalidRequest(violations);
}
