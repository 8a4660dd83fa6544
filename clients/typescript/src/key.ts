/** Puts the API key on each attempt. Where the key comes from is the caller's business. */
import { Code, type Interceptor } from "@connectrpc/connect";
import { GatewayError } from "./error.ts";

/** A key, or whatever gives the one that is valid now; it is asked for each attempt. Empty for none. */
export type ApiKey = string | (() => string | undefined | Promise<string | undefined>);

/** A caller's own `authorization` header goes before the key. */
export function withKey(apiKey: ApiKey): Interceptor {
  return (next) => async (request) => {
    if (!request.header.has("authorization")) {
      const key = typeof apiKey === "string" ? apiKey : await ask(apiKey, request.signal);
      if (key) request.header.set("authorization", `Bearer ${checked(key)}`);
    }
    return next(request);
  };
}

async function ask(source: Exclude<ApiKey, string>, signal: AbortSignal): Promise<string | undefined> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([source(), aborted]);
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new GatewayError("not_sent", Code.Unauthenticated, "the apiKey function failed", { cause });
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

function checked(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new GatewayError(
    "not_sent",
    Code.InvalidArgument,
    "the API key must be printable ASCII without spaces",
  );
}
