/** The bottom of the stack: hands the attempt to the provider that it is for. */
import type { AttemptCall, Service } from "../core/call.ts";
import { Failure } from "../core/failure.ts";

/** @param providers by name; one that is off answers with the reason */
export function client(providers: ReadonlyMap<string, Service<AttemptCall>>): Service<AttemptCall> {
  return async (call) => {
    const provider = providers.get(call.target.provider);
    if (!provider)
      throw new Failure("provider_unavailable", `the provider ${call.target.provider} is not configured`);
    return provider(call);
  };
}
