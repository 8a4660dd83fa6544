/** Vertex AI as a kind of provider: Gemini's format at Google Cloud, and Claude's where Claude is asked for. */
import type { CountTokensRequest } from "@google-cloud/vertexai";
import { ask } from "../ask.ts";
import { claudeDialect } from "../claude/dialect.ts";
import { VERTEX } from "../claude/traits.ts";
import type { Credentials } from "../credentials.ts";
import { keyCredentials } from "../keys.ts";
import { type Kind, overHttp, type ProviderSettings, withoutKeys } from "../kind.ts";
import { accessTokenCredentials } from "./access_token.ts";
import { vertexDialect } from "./dialect.ts";
import { googleTokens } from "./google_auth.ts";
import { isClaude, locationUrl, vertexResource } from "./resource.ts";

export const vertexAi: Kind = {
  whyOff(settings) {
    const { project, apiKeyEnv } = settings.config;
    if (!project) return "it has no project: set VERTEX_AI_PROJECT_ID, or its project in the configuration";
    return apiKeyEnv ? withoutKeys(settings) : "";
  },
  build(settings) {
    const { config } = settings;
    const { query = "" } = config.dialect ?? {};
    const baseUrl = locationUrl(config);
    const credentials = credentialsOf(settings);
    const { classify } = vertexDialect;
    const path = `${vertexResource(config.defaultModel)}:countTokens`;
    const body = JSON.stringify(SHORTEST);
    return overHttp(settings, {
      dialect: vertexDialect,
      other: { dialect: claudeDialect(VERTEX), speaks: isClaude },
      baseUrl,
      query,
      credentials,
      // Counting is free, and needs all that a chat needs.
      check: () => ask({ baseUrl, headers: config.headers, credentials, path, body, classify }),
    });
  },
};

const SHORTEST: CountTokensRequest = { contents: [{ role: "user", parts: [{ text: "Hello" }] }] };

/** A token in a variable is for an emulator, or for whoever renews it from outside. */
function credentialsOf({ config, keys, clock }: ProviderSettings): Credentials {
  if (config.apiKeyEnv) return keyCredentials(keys, (key) => ({ authorization: `Bearer ${key}` }), clock);
  return accessTokenCredentials(
    googleTokens({ path: config.credentialsPath, project: config.project }),
    clock,
    config.headers,
  );
}
