/** Mistral as a kind of provider. */
import { type Kind, withoutKeys } from "../kind.ts";
import { likeOpenAi } from "../openai/provider.ts";
import { mistralDialect } from "./dialect.ts";

export const mistral: Kind = {
  whyOff: withoutKeys,
  build: (settings) => likeOpenAi(settings, mistralDialect),
};
