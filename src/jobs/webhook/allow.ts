/**
 * Which URLs a caller may have called when a job ends, judged by the URL alone. Where its name leads to is judged
 * when it is called.
 */
import { isIP } from "node:net";
import { createNetworks } from "../../wire/address.ts";

/** As `jobs.webhooks` has them, with the secrets that it names. */
export interface WebhookRules {
  /** Such as `hooks.example.com`, `*.example.com` or `hooks.example.com:8443`. */
  readonly allowedHosts: readonly string[];
  readonly allowedNetworks: readonly string[];
  readonly allowHttp: boolean;
  /** The environment variable that holds the secrets. */
  readonly secretEnv: string;
  /** What `readSecrets` read there. */
  readonly secrets: readonly string[];
  readonly maxConcurrentPerHost: number;
  readonly timeoutMs: number;
  readonly giveUpAfterMs: number;
}

/**
 * What is wrong with a `callback_url`, with what would make it right. It repeats the host at most.
 *
 * @returns undefined when it may be called
 */
export function callbackProblem(url: string, rules: WebhookRules): string | undefined {
  return secretProblem(rules) ?? urlProblem(url, rules);
}

/** Why nothing can be signed. */
export function secretProblem({ secrets, secretEnv }: WebhookRules): string | undefined {
  return secrets.length === 0
    ? `no webhook can be sent, since none could be signed: the gateway's operator must set ${secretEnv}`
    : undefined;
}

/** Why it may not be called, as far as its text tells. */
export function urlProblem(text: string, rules: WebhookRules): string | undefined {
  // The parser would leave some of these out, and read others as slashes: nobody who means well writes them.
  if (/[\s\\\p{Cc}]/u.test(text))
    return "must be a URL without spaces, line breaks, control characters or backslashes";
  const url = URL.parse(text);
  if (!url) return "must be a whole URL, such as https://hooks.example.com/jobs";
  const { protocol, hostname } = url;
  if (protocol === "http:" && !rules.allowHttp)
    return "must begin with https://; http is allowed only where jobs.webhooks.allow_http is true";
  if (protocol !== "http:" && protocol !== "https:") return "must begin with https://";
  // The parser drops an empty user name, so that the URL itself would not tell.
  const [authority = ""] = text.slice(protocol.length).replace(/^\/*/, "").split(/[/?#]/);
  if (authority.includes("@"))
    return "must not hold a user name or a password; a receiver knows the gateway by its signature";
  if (text.includes("#")) return "must not have a fragment: remove the # and what follows it";
  if (hostname.endsWith(".")) return "must have its host without a dot at the end";
  if (!isAllowed(url, rules)) return unlisted(url, rules);
  return literalProblem(hostname, rules);
}

function unlisted({ host }: URL, { allowedHosts }: WebhookRules): string {
  const fix = `the gateway's operator can add "${host}" to jobs.webhooks.allowed_hosts`;
  return allowedHosts.length === 0
    ? `no host may be called; ${fix}`
    : `the host "${host}" may not be called; ${fix}`;
}

function isAllowed(url: URL, { allowedHosts }: WebhookRules): boolean {
  return allowedHosts.some((entry) => matches(entry, url));
}

function matches(entry: string, { hostname, protocol, port }: URL): boolean {
  const [, wildcard, name = "", entryPort] = /^([*][.])?(.*?)(?::([0-9]+|[*]))?$/.exec(entry) ?? [];
  // Read as the URL is, so that all ways to write a host are one.
  const listed = URL.parse(`${protocol}//${name}`)?.hostname;
  if (listed === undefined || (entryPort === undefined ? port !== "" : !isPort(entryPort, protocol, port)))
    return false;
  if (wildcard === undefined) return hostname === listed;
  return addressIn(hostname) === undefined && hostname.endsWith(`.${listed}`) && !hostname.startsWith(".");
}

function isPort(listed: string, protocol: string, port: string): boolean {
  if (listed === "*") return true;
  const standard = protocol === "https:" ? 443 : 80;
  return Number(listed) === (port === "" ? standard : Number(port));
}

function literalProblem(hostname: string, { allowedNetworks }: WebhookRules): string | undefined {
  const address = addressIn(hostname);
  const refusal = address === undefined ? undefined : createNetworks(allowedNetworks).refuses(address);
  return refusal && forbidden(refusal);
}

/** Says of a host that is at such an address what would allow it. */
export function forbidden(kind: string): string {
  return `its host has an address that is ${kind}; the gateway's operator can allow it by jobs.webhooks.allowed_networks`;
}

/** The parser has brought every way to write one to the usual form. */
function addressIn(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[(.*)\]$/, "$1");
  return isIP(bare) === 0 ? undefined : bare;
}
