/** Where a model is at Google Cloud: hosts by location, paths by publisher. */
import type { Provider } from "../../../gen/ts/llmgateway/config/v1/config_pb.ts";

type Place = Pick<Provider, "baseUrl" | "project" | "region">;

/** Locations that hold several regions, and have a host of another form. */
const MULTI_REGIONS: ReadonlySet<string> = new Set(["us", "eu"]);

/**
 * The URL of the project's location, below which its models are.
 * A base URL, if there is one, stands for Google's host.
 */
export function locationUrl({ baseUrl, project, region }: Place): string {
  const host = baseUrl.replace(/\/+$/, "") || `https://${hostOf(region)}`;
  return `${host}/v1/projects/${encodeURIComponent(project)}/locations/${encodeURIComponent(region)}`;
}

function hostOf(region: string): string {
  if (region === "global") return "aiplatform.googleapis.com";
  if (MULTI_REGIONS.has(region)) return `aiplatform.${region}.rep.googleapis.com`;
  return `${region}-aiplatform.googleapis.com`;
}

/** Below the location. A model of one's own is named by where it is deployed: `endpoints/123`. */
export function vertexResource(model: string): string {
  const endpoint = /^endpoints\/([^/]+)$/.exec(model)?.[1];
  return endpoint === undefined
    ? `/publishers/google/models/${encodeURIComponent(model)}`
    : `/endpoints/${encodeURIComponent(endpoint)}`;
}

/** Such as `claude-sonnet-4-5@20250929`, which Anthropic publishes there. */
export function isClaude(model: string): boolean {
  return model.startsWith("claude-");
}
