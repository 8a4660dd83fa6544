/** Amazon Bedrock as a kind of provider. */

import type { Credentials } from "../credentials.ts";
import { keyCredentials } from "../keys.ts";
import { type Kind, overHttp, type ProviderSettings, type Working } from "../kind.ts";
import { checkAvailability } from "./availability.ts";
import { bedrockDialect } from "./dialect.ts";
import { findIdentity, signingCredentials } from "./identity.ts";

export const bedrock: Kind = { whyOff, build };

/** Whether there are credentials, only a look at all their places tells: availability does. */
function whyOff({ config }: ProviderSettings): string {
  return config.region ? "" : "its region is missing: set AWS_REGION";
}

function build(settings: ProviderSettings): Working {
  const { region, baseUrl: template } = settings.config;
  const baseUrl = template.replace(/\/+$/, "").replace("{region}", region);
  const credentials = credentialsFor(settings, baseUrl);
  return overHttp(settings, {
    dialect: bedrockDialect(),
    baseUrl,
    query: "",
    credentials,
    check: checkAvailability({ baseUrl, headers: settings.config.headers, credentials }),
  });
}

/** A key of Bedrock's own goes before a signature, as in AWS's SDKs. */
function credentialsFor(
  { keys, env, clock, config: { region } }: ProviderSettings,
  baseUrl: string,
): Credentials {
  if (keys.length > 0) return keyCredentials(keys, (key) => ({ authorization: `Bearer ${key}` }), clock);
  const { host } = new URL(baseUrl);
  return signingCredentials(() => findIdentity(env), { host, region, service: "bedrock" }, clock);
}
