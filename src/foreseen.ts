/** To whom a call may go, by the configuration alone: the choice is made later, and may be among fewer of them. */
import { LEXICAL } from "./config/cache.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import { type Call, isBatch } from "./core/call.ts";
import { entrantOf, entryOf, isEntrant } from "./experiments/entrants.ts";

/** Names as requests and the configuration write them, those of aliases beside their targets; undefined for anybody. */
export function foreseen(call: Call, config: CompleteConfig): ReadonlySet<string> | undefined {
  const { model, modelVersion } = call.request;
  if (model === "") return undefined;
  const names = new Set([modelVersion ? `${model}/${modelVersion}` : model]);
  for (const name of behind(call, config)) names.add(name);
  for (const name of names)
    if (Object.hasOwn(config.aliases, name))
      for (const { target } of config.aliases[name]?.targets ?? []) names.add(target);
  return names;
}

/** Those whom the request does not name. */
function* behind(call: Call, { fallbackChains, experiments, cache }: CompleteConfig): Generator<string> {
  const { request } = call;
  if (request.$typeName !== "llmgateway.v1.ChatRequest") return;
  const chain = request.fallbackChain || "default";
  if (chain !== "none" && !isBatch(call) && Object.hasOwn(fallbackChains, chain))
    for (const { kind } of fallbackChains[chain]?.values ?? [])
      if (kind.case === "stringValue") yield kind.value;
  const entrant = entrantOf(call);
  for (const [name, experiment] of Object.entries(experiments))
    if (entrant && experiment.enabled && isEntrant(entrant, entryOf(name, experiment)))
      for (const way of [...experiment.variants, ...experiment.shadows]) yield way.model;
  // It is told what is asked, to find who asked the same in other words.
  const { mode, embedder } = cache.semantic;
  if (mode !== "off" && embedder !== LEXICAL) yield embedder;
}
