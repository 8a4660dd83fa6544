/** Whether what the configuration says of moderation hooks makes sense, kind by kind. */
import type { Violation } from "../core/strict-json.ts";
import { splitName } from "../core/target.ts";
import { expressionFault } from "../moderation/blocklist.ts";
import { PII_CATEGORIES } from "../moderation/pii.ts";
import { SECRET_CATEGORIES } from "../moderation/secrets.ts";
import type { CompleteConfig } from "./defaults.ts";
import { ASKING, type CompleteHook } from "./moderation.ts";
import { notConfigured } from "./names.ts";

const KNOWING_PLACES = ["pii", "secrets", "blocklist", "webhook"];

export function moderationViolations(config: CompleteConfig): Violation[] {
  const names = new Set<string>();
  return config.moderation.hooks.flatMap((hook, index) => {
    const path = `moderation.hooks[${index}]`;
    const violations: Violation[] = [];
    const report = (field: string, description: string) =>
      void violations.push({ field: `${path}.${field}`, description });
    if (names.has(hook.name)) report("name", `"${hook.name}" is taken; give every hook its own`);
    names.add(hook.name);
    judgeAction(hook, report);
    judgeNames(hook, config, report);
    judgeKind(hook, config, report);
    return violations;
  });
}

type Report = (field: string, description: string) => void;

function judgeAction({ kind, action, restore, on }: CompleteHook, report: Report): void {
  if (action === "redact" && !KNOWING_PLACES.includes(kind))
    report("action", `cannot be redact, since ${kind} finds no places in a text; give flag or refuse`);
  if (action === "redact" && on.includes("reply") && !on.includes("stream"))
    if (!ASKING.includes(kind))
      report("on", "has reply without stream, where streams would be given unredacted; add stream");
  if (restore && action !== "redact") report("restore", `has nothing to put back with the action ${action}`);
  if (restore && !on.includes("request")) report("restore", "has nothing to put back without request in on");
}

function judgeNames({ models, exemptKeys }: CompleteHook, config: CompleteConfig, report: Report): void {
  const { aliases, providers, auth } = config;
  for (const [index, name] of models.entries()) {
    if (Object.hasOwn(aliases, name) || Object.hasOwn(providers, splitName(name).provider)) continue;
    const there = [...Object.keys(aliases), ...Object.keys(providers)].join(", ");
    report(`models[${index}]`, `names neither an alias nor a configured provider; there are ${there}`);
  }
  for (const [index, name] of exemptKeys.entries()) {
    if (!auth.keys.some((key) => key.name === name))
      report(`exempt_keys[${index}]`, "is the name of no API key in auth.keys");
  }
}

function judgeKind(hook: CompleteHook, { providers }: CompleteConfig, report: Report): void {
  const { kind, categories, words, patterns, maxChars, provider, url } = hook;
  const known = kind === "pii" ? PII_CATEGORIES : kind === "secrets" ? SECRET_CATEGORIES : undefined;
  for (const [index, category] of categories.entries()) {
    if (known && !known.includes(category))
      report(`categories[${index}]`, `"${category}" is none; there are ${known.join(", ")}`);
    else if (!known && kind !== "provider_moderation")
      report(`categories[${index}]`, `mean nothing for ${kind}`);
  }
  if (kind === "blocklist" && words.length + patterns.length === 0)
    report("words", "are missing; give words or patterns");
  if (kind !== "blocklist" && words.length + patterns.length > 0)
    report(words.length > 0 ? "words" : "patterns", `mean nothing for ${kind}; the kind blocklist has them`);
  for (const [index, pattern] of patterns.entries()) {
    const fault = expressionFault(pattern);
    if (fault !== undefined)
      report(
        `patterns[${index}]`,
        `is no regular expression of RE2 that can be used, which has no look-around and no back-references: ${fault}`,
      );
  }
  if ((kind === "max_length") !== maxChars > 0)
    report("max_chars", kind === "max_length" ? "is missing" : `means nothing for ${kind}`);
  if (kind === "provider_moderation") {
    const asked = providers[provider];
    if (!asked) report("provider", notConfigured(providers));
    else if (!["openai", "openai_compatible"].includes(asked.kind))
      report(
        "provider",
        `is of the kind ${asked.kind}, which has no such endpoint; give one of the kind openai`,
      );
  } else if (provider) report("provider", `means nothing for ${kind}`);
  if ((kind === "webhook") !== (url !== ""))
    report("url", kind === "webhook" ? "is missing" : `means nothing for ${kind}`);
}
