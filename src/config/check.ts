/**
 * Whether a complete configuration makes sense: the rules in `config.proto`, and those that need more than
 * one field or the environment. It reads no file.
 */
import { validateHeaderName, validateHeaderValue } from "node:http";
import type { DescField } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Violation as RuleViolation } from "@bufbuild/protovalidate";
import { ConfigSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import { patternFault } from "../cache/patterns.ts";
import { brokenRules } from "../core/rules.ts";
import { keyPath, type Violation } from "../core/strict-json.ts";
import { templateFaults } from "../templates/templates.ts";
import { isNetwork } from "../wire/address.ts";
import { budgetViolations } from "./budgets.ts";
import { type CompleteConfig, type CompleteProvider, KINDS } from "./defaults.ts";
import { isHttpUrl } from "./form.ts";
import { moderationViolations } from "./moderation-check.ts";
import { nameViolations } from "./names.ts";

/** Every violation, one a field; none when the configuration can be used. */
export function violationsOf(config: CompleteConfig): Violation[] {
  const byRule = ruleViolations(config);
  const reported = new Set(byRule.map((violation) => violation.field));
  const byReason = [
    ...Object.entries(config.providers).flatMap(([name, provider]) => providerViolations(name, provider)),
    ...keyViolations(config),
    ...defaultModelViolations("default_model", config.defaultModel, config),
    ...defaultModelViolations("default_embedding_model", config.defaultEmbeddingModel, config),
    ...budgetViolations(config),
    ...delayViolations(config),
    ...nameViolations(config),
    ...templateFaults(config.templates),
    ...moderationViolations(config),
    ...patternViolations(config.cache.sensitivePatterns),
    ...networkViolations(config.jobs.webhooks.allowedNetworks),
    ...urlViolation("telemetry.otlp_endpoint", config.telemetry.otlpEndpoint),
  ];
  return [...byRule, ...byReason.filter((violation) => !reported.has(violation.field))];
}

function ruleViolations(config: CompleteConfig): Violation[] {
  return brokenRules(ConfigSchema, config).map((violation) => ({
    field: pathOf(violation.field),
    description: violation.forKey ? `its name ${violation.message}` : violation.message,
  }));
}

function pathOf(path: RuleViolation["field"]): string {
  return path.reduce((text, step) => {
    switch (step.kind) {
      case "list_sub":
        return `${text}[${step.index}]`;
      case "map_sub":
        return keyPath(text, String(step.key));
      default:
        return keyPath(text, (step as DescField).name);
    }
  }, "");
}

function providerViolations(name: string, provider: CompleteProvider): Violation[] {
  const path = keyPath("providers", name);
  const violations: Violation[] = [];
  const report = (field: string, description: string) =>
    violations.push({ field: `${path}.${field}`, description });
  if (provider.kind === "") report("kind", `is missing; give one of ${Object.keys(KINDS).join(", ")}`);
  if (provider.kind === "openai_compatible" && provider.baseUrl === "") {
    report("base_url", "is missing; an openai_compatible provider needs the base URL of its API");
  }
  if (provider.preset !== "" && provider.kind !== "openai_compatible") {
    report(
      "preset",
      `is for the kind openai_compatible, and this is ${provider.kind}; leave one of them out`,
    );
  }
  violations.push(...urlViolation(`${path}.base_url`, provider.baseUrl));
  for (const [header, value] of Object.entries(provider.headers)) {
    if (!isHeader(header, value)) violations.push(notHeader(keyPath(`${path}.headers`, header)));
  }
  if (provider.dialect.keyHeader !== "" && !isHeader(provider.dialect.keyHeader, "")) {
    violations.push(notHeader(`${path}.dialect.key_header`));
  }
  return violations;
}

function keyViolations(config: CompleteConfig): Violation[] {
  const holders = new Map<string, string>();
  return config.auth.keys.flatMap(({ name, sha256 }, index) => {
    const holder = holders.get(sha256);
    holders.set(sha256, name);
    const description = `is the same key as that of "${holder}"; give every caller a key of its own`;
    return holder === undefined ? [] : [{ field: `auth.keys[${index}].sha256`, description }];
  });
}

function delayViolations({ resilience, providers }: CompleteConfig): Violation[] {
  const ofProviders = Object.entries(providers).map(
    ([name, provider]) => [`${keyPath("providers", name)}.resilience`, provider.resilience] as const,
  );
  // A provider has what is said of all, which is told once.
  const said = isNegative(resilience) ? [] : ofProviders;
  return [["resilience", resilience] as const, ...said].flatMap(([path, one]) => {
    if (!isNegative(one)) return [];
    const description = "must not be negative; leave it out to wait as long as nearly all calls take";
    return [{ field: `${path}.hedging.delay`, description }];
  });
}

function isNegative({ hedging: { delay } }: CompleteConfig["resilience"]): boolean {
  return delay !== undefined && durationMs(delay) < 0;
}

function networkViolations(networks: readonly string[]): Violation[] {
  return networks.flatMap((network, index) => {
    if (isNetwork(network)) return [];
    const description = `"${network}" is no network; give one in CIDR notation, such as 10.0.0.0/8 or fd00::/8`;
    return [{ field: `jobs.webhooks.allowed_networks[${index}]`, description }];
  });
}

function patternViolations(patterns: readonly string[]): Violation[] {
  return patterns.flatMap((pattern, index) => {
    const fault = patternFault(pattern);
    if (fault === undefined) return [];
    const description = `is no regular expression of RE2, which has no look-around and no back-references: ${fault}`;
    return [{ field: `cache.sensitive_patterns[${index}]`, description }];
  });
}

function defaultModelViolations(field: string, usual: string, { providers }: CompleteConfig): Violation[] {
  const [provider = "", model] = usual.split("/");
  if (model === undefined || Object.hasOwn(providers, provider)) return [];
  const names = Object.keys(providers).join(", ");
  return [{ field, description: `names no configured provider before "/"; there are ${names}` }];
}

function urlViolation(field: string, url: string): Violation[] {
  return url === "" || isHttpUrl(url)
    ? []
    : [{ field, description: "must be a URL that begins with http:// or https://" }];
}

function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

function notHeader(field: string): Violation {
  return {
    field,
    description: "must be a header that HTTP allows, without spaces in its name or line breaks",
  };
}
