/** Anthropic as a kind of provider. */
import { keyCredentials } from "../keys.ts";
import { type Kind, overHttp, type ProviderSettings, type Working, withoutKeys } from "../kind.ts";
import { checkAvailability } from "./availability.ts";
import { claudeDialect } from "./dialect.ts";
import { ANTHROPIC } from "./traits.ts";

export const claude: Kind = { whyOff: withoutKeys, build };

function build(settings: ProviderSettings): Working {
  const { config, keys, clock } = settings;
  const baseUrl = config.baseUrl.replace(/\/+$/, "");
  const credentials = keyCredentials(keys, (key) => ({ "x-api-key": key }), clock);
  const headers = { ...config.headers, ...ANTHROPIC.headers };
  return overHttp(settings, {
    dialect: claudeDialect(ANTHROPIC),
    baseUrl,
    query: "",
    credentials,
    check: checkAvailability({ baseUrl, headers, credentials }),
  });
}
