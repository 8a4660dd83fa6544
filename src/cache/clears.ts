/**
 * Which answers were cleared, as replicas agree on it: each clear has a number, higher than all before, and stays in
 * Redis as long as an answer from before it may be there. An answer bears the number that held when it was kept. So a
 * clear costs the same however many answers there are, and who missed it learns of it with the next it reads.
 */

import type { Told, Which } from "./answers.ts";
import type { Link } from "./link.ts";
import { isMeant } from "./memory.ts";

/** Replicas publish here that there is another clear. */
export const CHANNEL = "llmgateway:cache-clears";
/** Its value is the number of the last clear. */
export const GENERATION_KEY = "llmgateway:cache-generation";
const RULES_KEY = "llmgateway:cache-rules";

/** Beyond so many the older half becomes one that clears all. */
const MAX_RULES = 1_000;
/** A clear of all, as JSON. */
const ALL = "{}";

/**
 * Numbers are Redis's own time in microseconds, so that they go on rising after it has lost its memory. What is meant
 * is the member, so that the same clear again is one rule.
 */
const ADD = `
local time = redis.call('TIME')
local number = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[1]) or '0') + 1)
local text = string.format('%.0f', number)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', number - ARGV[2] * 1000))
redis.call('ZADD', KEYS[2], text, ARGV[1])
if redis.call('ZCARD', KEYS[2]) > ${MAX_RULES} then
  local last = redis.call('ZRANGE', KEYS[2], ${MAX_RULES / 2}, ${MAX_RULES / 2}, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, ${MAX_RULES / 2})
  redis.call('ZADD', KEYS[2], 'GT', last[2], '${ALL}')
end
redis.call('SET', KEYS[1], text)
redis.call('PUBLISH', ARGV[3], text .. ' ' .. ARGV[1])
return text`;

export interface ClearsOptions {
  readonly link: Link;
  /** The longest that an answer may be kept. */
  readonly maxTtlMs: number;
  /** Told of each clear that was not known, whoever made it. */
  readonly onClear: (which: Which) => void;
}

export class Clears {
  private readonly options: ClearsOptions;
  /** What was cleared, as JSON, with the number of the last time. */
  private readonly rules = new Map<string, { readonly which: Which; readonly number: number }>();
  /** Those that Redis does not know of yet, by their text: they have no number, and hold for all that it has. */
  private readonly owed = new Map<string, Which>();
  private known = 0;
  /** Of all rules here, some of which may be known before those between. */
  private newest = 0;
  private loading: Promise<boolean> | undefined;

  constructor(options: ClearsOptions) {
    this.options = options;
  }

  /** The number that what is kept now is to bear. */
  get generation(): number {
    return this.known;
  }

  isCleared(told: Told, generation: number): boolean {
    for (const which of this.owed.values()) if (isMeant(told, which)) return true;
    if (generation >= this.newest) return false;
    for (const { which, number } of this.rules.values())
      if (number > generation && isMeant(told, which)) return true;
    return false;
  }

  /**
   * Brings what is known here up to what holds in Redis.
   *
   * @param generation as it was read there; undefined to ask
   * @returns whether it is
   */
  async upTo(generation: number | undefined): Promise<boolean> {
    if (generation !== undefined && generation <= this.known) return true;
    this.loading ??= this.load().finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  /** Holds here at once, and tells all. Returns its number. @throws as Redis does: then it is to be told again */
  async add(which: Which): Promise<number> {
    const { link, maxTtlMs } = this.options;
    const text = textOf(which);
    this.owed.set(text, which);
    const command = ["EVAL", ADD, "2", GENERATION_KEY, RULES_KEY, text, String(maxTtlMs), CHANNEL];
    const number = numberOf(await link.send(command));
    this.owed.delete(text);
    this.apply(text, number);
    await this.upTo(number);
    return number;
  }

  /** What was published; another before it may have been missed, so the rest is asked for. */
  heard(message: string): void {
    const end = message.indexOf(" ");
    const number = numberOf(message.slice(0, end));
    this.apply(message.slice(end + 1), number);
    this.upTo(number);
  }

  private async load(): Promise<boolean> {
    const { link } = this.options;
    const [last, all, newer] = await Promise.all([
      link.ask("clears", ["GET", GENERATION_KEY]),
      // That of all bears the number of the last that it stands for, which may be known by itself.
      link.ask("clears", ["ZSCORE", RULES_KEY, ALL]),
      link.ask("clears", ["ZRANGEBYSCORE", RULES_KEY, `(${this.known}`, "+inf", "WITHSCORES"]),
    ]);
    if (!last || !all || !newer) return false;
    const generation = numberOf(last.reply);
    if (all.reply !== null) this.apply(ALL, numberOf(all.reply));
    const rules = (newer.reply as unknown[]).flat();
    for (let i = 0; i < rules.length; i += 2) this.apply(String(rules[i]), numberOf(rules[i + 1]));
    if (generation <= this.known) return true;
    // Redis has lost which it was.
    if (rules.length === 0) this.apply(ALL, generation);
    this.known = generation;
    return true;
  }

  private apply(text: string, number: number): void {
    const before = this.rules.get(text);
    if (before && before.number >= number) return;
    const which = whichOf(text);
    this.rules.set(text, { which, number });
    this.newest = Math.max(this.newest, number);
    if (text === ALL) this.forget(number);
    this.forget(number - this.options.maxTtlMs * 1_000);
    this.options.onClear(which);
  }

  /** Those before which nothing can be there any more. */
  private forget(number: number): void {
    for (const [text, rule] of this.rules) if (rule.number < number) this.rules.delete(text);
  }
}

/** As Redis has it; 0 before the first clear. */
export function numberOf(reply: unknown): number {
  const number = Number(String(reply ?? "0"));
  return Number.isFinite(number) ? number : 0;
}

/** The same for the same. */
function textOf({ tenant, family, tag }: Which): string {
  return JSON.stringify({ tenant, family, tag: tag && { key: tag.key, value: tag.value } });
}

/** What cannot be read clears all. */
function whichOf(text: string): Which {
  try {
    const which: unknown = JSON.parse(text);
    return typeof which === "object" && which !== null ? (which as Which) : {};
  } catch {
    return {};
  }
}
