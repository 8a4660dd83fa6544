/** The OpenAPI document, as it comes with the package. It knows nothing of what stands in it. */
import { readFileSync } from "node:fs";
import { bundled } from "../version.ts";
import { etagOf, hasAlready } from "./etag.ts";
import type { NodeRequest } from "./node.ts";

/** Reads the document once. Whoever has it already is answered with 304. */
export function openapiPage() {
  const body = readFileSync(bundled("gen", "openapi", "llmgateway.openapi.json"), "utf8");
  const etag = etagOf(body);
  // Kept by the caller, and asked for again each time: another version of the gateway has another document.
  const headers = { etag, "cache-control": "no-cache" };
  const page = { status: 200, headers: { ...headers, "content-type": "application/json" }, body };
  return (request: NodeRequest) => (hasAlready(request, etag) ? { status: 304, headers } : page);
}
