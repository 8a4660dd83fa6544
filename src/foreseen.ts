/** To whom a call may go, by the configuration alone: the choice is made later, and may be among fewer of them. */
import { isCacheOn, LEXICAL } from "./config/cache.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { CompleteExperiment } from "./config/experiments.ts";
import { stringsOf } from "./config/names.ts";
import type { Call } from "./core/call.ts";
import { entrantOf, entryOf, isEntrant } from "./experiments/entrants.ts";
import { chainNameOf } from "./layers/route.ts";

/** Names as requests and the configuration write them, those of aliases beside their targets; undefined for anybody. */
export type Foreseen = (call: Call) => ReadonlySet<string> | undefined;

export function foreseenBy(config: CompleteConfig): Foreseen {
  const trials = Object.entries(config.experiments).flatMap(([name, experiment]) =>
    experiment.enabled ? [trialOf(name, experiment)] : [],
  );
  return (call) => {
    const { model, modelVersion } = call.request;
    if (model === "") return undefined;
    const names = new Set([modelVersion ? `${model}/${modelVersion}` : model]);
    for (const name of behind(call, config, trials)) names.add(name);
    for (const name of names)
      if (Object.hasOwn(config.aliases, name))
        for (const { target } of config.aliases[name]?.targets ?? []) names.add(target);
    return names;
  };
}

type Trial = ReturnType<typeof trialOf>;

function trialOf(name: string, experiment: CompleteExperiment) {
  const models = [...experiment.variants, ...experiment.shadows].map(({ model }) => model);
  return { entry: entryOf(name, experiment), models };
}

/** Those whom the request does not name. */
function* behind(
  call: Call,
  { fallbackChains, cache }: CompleteConfig,
  trials: readonly Trial[],
): Generator<string> {
  const { request } = call;
  if (request.$typeName !== "llmgateway.v1.ChatRequest") return;
  const chain = chainNameOf(call);
  const links = chain !== undefined && Object.hasOwn(fallbackChains, chain) && fallbackChains[chain];
  if (links) yield* stringsOf(links);
  const entrant = entrantOf(call);
  for (const { entry, models } of trials) if (entrant && isEntrant(entrant, entry)) yield* models;
  // It is told what is asked, to find who asked the same in other words.
  const { mode, embedder } = cache.semantic;
  if (isCacheOn(cache) && mode !== "off" && embedder !== LEXICAL) yield embedder;
}
