/** The key that a request must bear when the emulator was given one. */
import type { Exchange } from "../exchange.ts";
import { wrongKey } from "./errors.ts";

/** Throws Refusal 401 for another key or none. OpenAI takes a bearer token, Azure an `api-key`; each is accepted on every path. */
export function requireKey(exchange: Exchange, key: string | undefined): void {
  if (key === undefined) return;
  const { authorization, "api-key": azureKey } = exchange.headers;
  const presented =
    authorization?.replace(/^Bearer\s+/i, "") ?? (Array.isArray(azureKey) ? azureKey[0] : azureKey);
  if (presented !== key) throw wrongKey(presented);
}
