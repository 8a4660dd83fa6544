/** Which web pages may call from a browser: the cross-origin headers of every front, and the preflights. */
import { cors as protocols } from "@connectrpc/connect";
import cors from "cors";
import type { NodeReply, NodeRequest } from "./node.ts";

export interface CorsOptions {
  /** Origins, those of every subdomain as `https://*.example.com`, or `*`. */
  readonly allowedOrigins: readonly string[];
  readonly maxAgeMs: number;
}

/** Sets the headers and goes on, or answers a preflight. */
export type Cors = (request: NodeRequest, reply: NodeReply, next: () => void) => void;

/** What callers of this gateway send, beside the headers of the protocols. */
const OWN_REQUEST_HEADERS = [
  "Authorization",
  "X-Api-Key",
  "X-Request-Id",
  "Idempotency-Key",
  "Traceparent",
  "Tracestate",
];
const OWN_REPLY_HEADERS = [
  "X-Request-Id",
  "Traceparent",
  "Retry-After",
  "RateLimit-Limit",
  "RateLimit-Remaining",
  "RateLimit-Reset",
];

export function createCors({ allowedOrigins, maxAgeMs }: CorsOptions): Cors {
  if (allowedOrigins.length === 0) return (_request, _reply, next) => next();
  return cors({
    origin: allowedOrigins.includes("*") ? "*" : allowedOrigins.map(matcher),
    allowedHeaders: [...protocols.allowedHeaders, ...OWN_REQUEST_HEADERS],
    exposedHeaders: [...protocols.exposedHeaders, ...OWN_REPLY_HEADERS],
    maxAge: Math.floor(maxAgeMs / 1000),
  });
}

function matcher(origin: string): string | RegExp {
  const [scheme = "", domain] = origin.split("*.");
  if (domain === undefined) return origin;
  return new RegExp(`^${RegExp.escape(scheme)}[a-z0-9.-]+\\.${RegExp.escape(domain)}$`);
}
