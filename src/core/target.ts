/** A provider and its model as one name, `provider/model`, as people write it and maps keep it. */
import type { Target } from "./call.ts";

export function nameOf({ provider, model }: Target): string {
  return `${provider}/${model}`;
}

export function isSame(a: Target, b: Target): boolean {
  return a.model === b.model && a.provider === b.provider;
}

/** The model may hold slashes of its own; it is empty where the text names only a provider. */
export function splitName(text: string): Target {
  const slash = text.indexOf("/");
  return slash > 0
    ? { provider: text.slice(0, slash), model: text.slice(slash + 1) }
    : { provider: text, model: "" };
}
