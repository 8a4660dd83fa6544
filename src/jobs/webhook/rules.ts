/** Where webhooks may go and how they are signed, as it was set, for jobs and for moderation alike. */
import { type Duration, durationMs } from "@bufbuild/protobuf/wkt";
import type { WebhookRules } from "./allow.ts";
import { readSecrets } from "./sign.ts";

/** As operators write it. */
export interface WebhookSettings
  extends Pick<
    WebhookRules,
    "allowedHosts" | "allowedNetworks" | "allowHttp" | "secretEnv" | "maxConcurrentPerHost"
  > {
  readonly timeout: Duration;
  readonly giveUpAfter: Duration;
}

/** @throws Error for a secret that is none */
export function webhookRulesOf(
  settings: WebhookSettings,
  env: Readonly<Record<string, string | undefined>>,
): WebhookRules {
  const { allowedHosts, allowedNetworks, allowHttp, secretEnv, maxConcurrentPerHost } = settings;
  return {
    allowedHosts,
    allowedNetworks,
    allowHttp,
    secretEnv,
    secrets: readSecrets(env[secretEnv] ?? "", secretEnv),
    maxConcurrentPerHost,
    timeoutMs: durationMs(settings.timeout),
    giveUpAfterMs: durationMs(settings.giveUpAfter),
  };
}
