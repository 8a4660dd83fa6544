/** What the options' values must look like, so that a wrong one is refused by its name before anything is called. */
import { InvalidArgumentError } from "commander";
import { messageOf } from "../../src/core/message.ts";
import { readFault } from "../../src/emulator/fault.ts";

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^-?\d+$/.test(text) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

export function share(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && number >= 0 && number <= 1) return number;
  throw new InvalidArgumentError("It must be a number from 0 to 1.");
}

/** Such as `1%`, as a share of 1. */
export function percent(text: string): number {
  const number = Number(text.replace(/%$/, ""));
  if (/\d/.test(text) && number >= 0 && number <= 100) return number / 100;
  throw new InvalidArgumentError("It must be a percentage, such as 1% or 0.5%.");
}

/** An emulator's directives, without their brackets. */
export function directives(text: string): string {
  try {
    readFault(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}

export function dollars(text: string): number {
  const number = Number(text);
  if (number > 0 && number < Number.POSITIVE_INFINITY) return number;
  throw new InvalidArgumentError("It must be an amount of dollars above 0, such as 0.05.");
}

export function day(text: string): string {
  const time = Date.parse(`${text}T00:00:00Z`);
  if (Number.isFinite(time) && new Date(time).toISOString().startsWith(text)) return text;
  throw new InvalidArgumentError("It must be a day, such as 2026-01-31.");
}

export function httpUrl(text: string): string {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) return text;
  throw new InvalidArgumentError(
    "It must be a URL that begins with http:// or https://, without a password.",
  );
}

export function moment(text: string): Date {
  const time = new Date(text);
  if (/^\d{4}-\d\d-\d\dT/.test(text) && Number.isFinite(time.getTime())) return time;
  throw new InvalidArgumentError("It must be a time, such as 2026-01-31T18:00:00Z.");
}

/** In milliseconds. */
export function span(text: string): number {
  const [, count = "", unit = ""] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit] ?? Number.NaN);
  if (ms > 0) return ms;
  throw new InvalidArgumentError("It must be a span of time, such as 30s, 15m, 12h or 7d.");
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** For an option that is given again and again: all that was given. */
export function label(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name = "", value = ""] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name) return { ...before, [name]: value };
  throw new InvalidArgumentError("It must be a name and a value, such as team=search.");
}

/** As `label`, where a name that comes again would take the place of the one before without a word. */
export function filter(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [name = ""] = Object.keys(label(text));
  if (Object.hasOwn(before, name))
    throw new InvalidArgumentError(`"${name}" was given before; give it once.`);
  return label(text, before);
}

export function uuid(text: string): string {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError("It must be an id, such as 0191f2a0-5e3a-7cc1-9d3e-2b6f0a8c4d17.");
}

/** Names, separated by commas. */
export function list(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.length > 1 && names.every(Boolean)) return names;
  throw new InvalidArgumentError("It must be two names or more, such as openai/gpt-4o,claude.");
}

/** A name and a value as one text, as the gateway takes them. */
export function tag(text: string): string {
  label(text);
  return text;
}

/** A provider, or one of its models, whose name may hold slashes of its own. */
export function circuitName(text: string): { provider: string; model: string } {
  const slash = text.indexOf("/");
  const [provider, model] = slash < 0 ? [text, ""] : [text.slice(0, slash), text.slice(slash + 1)];
  if (provider && (slash < 0 || model)) return { provider, model };
  throw new InvalidArgumentError("It must be a provider or provider/model, such as openai/gpt-4o.");
}

/** A span before now, a day of UTC, or a time. */
export function ago(text: string): Date {
  if (/^\d{4}-\d\d-\d\dT/.test(text)) return moment(text);
  if (/^\d{4}-/.test(text)) return new Date(`${day(text)}T00:00:00Z`);
  if (/^\d+[a-z]/.test(text)) return new Date(Date.now() - span(text));
  throw new InvalidArgumentError(
    "It must be a span such as 7d, a day such as 2026-01-31, or a time such as 2026-01-31T18:00:00Z.",
  );
}

const DIMENSION = /^(?:provider|model|operation|tenant|key|route|hour|day|tag:.+)$/;

export function dimensions(text: string): string[] {
  const names = text.split(",");
  if (names.every((name) => DIMENSION.test(name)) && new Set(names).size === names.length) return names;
  throw new InvalidArgumentError(
    "It must be some of provider, model, operation, tenant, key, route, hour, day and tag:NAME, with commas between.",
  );
}
