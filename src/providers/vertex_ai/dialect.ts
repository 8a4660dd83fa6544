/** Gemini's format as Vertex AI speaks it. */
import type { Violation } from "../../core/failure.ts";
import type { Dialect } from "../dialect.ts";
import { geminiDialect } from "../gemini/dialect.ts";
import { vertexEmbeddings } from "./embeddings.ts";
import { vertexResource } from "./resource.ts";

export const vertexDialect: Dialect = geminiDialect(vertexResource, vertexEmbeddings, tierHeaders);

/**
 * Vertex AI refuses the names of tiers in the body, and takes none but by this header. Throughput that was bought is
 * used up before the tier is.
 * https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo and `flex-paygo` beside it
 */
function tierHeaders(tier: string, wrong: Violation[]): Record<string, string> {
  if (tier === "flex" || tier === "priority") return { "x-vertex-ai-llm-shared-request-type": tier };
  if (tier !== "standard")
    wrong.push({ field: "parameters.service_tier", description: "must be standard, flex or priority" });
  return {};
}
