/** Gemini's own API as a kind of provider. */
import { ask } from "../ask.ts";
import { keyCredentials } from "../keys.ts";
import { type Kind, overHttp, withoutKeys } from "../kind.ts";
import { geminiDialect, geminiResource } from "./dialect.ts";

export const gemini: Kind = {
  whyOff: withoutKeys,
  build(settings) {
    const { config, keys, clock } = settings;
    const { query = "" } = config.dialect ?? {};
    const credentials = keyCredentials(keys, (key) => ({ "x-goog-api-key": key }), clock);
    const dialect = geminiDialect(geminiResource);
    const { classify } = dialect;
    const baseUrl = config.baseUrl.replace(/\/+$/, "");
    return overHttp(settings, {
      dialect,
      baseUrl,
      query,
      credentials,
      check: () =>
        ask({
          baseUrl,
          headers: config.headers,
          credentials,
          path: "/models?pageSize=1",
          body: "",
          classify,
        }),
    });
  },
};
