/** Answers on Redis, each under its tenant's prefix: reads and writes them, and judges whether they still hold. */
import { hash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import type { Entry } from "./answers.ts";
import { type Clears, GENERATION_KEY, numberOf } from "./clears.ts";
import { decodeEntry, encodeEntry } from "./codec.ts";
import type { Link } from "./link.ts";

export interface StoredOptions {
  readonly link: Link;
  readonly clears: Clears;
  readonly clock: Clock;
  readonly maxEntryBytes: number;
}

export interface Found {
  readonly entry: Entry | undefined;
  /** Whether all is known here that was cleared; if not, what is in memory may be of it. */
  readonly current: boolean;
}

const PREFIX = "llmgateway:cache:";

/** The names under which an answer of the tenant is in Redis begin so, or those of all. */
export function prefixOf(tenant?: string): string {
  return tenant === undefined ? `${PREFIX}{` : `${PREFIX}{${shortHash(tenant)}}:`;
}

export function storedKeyOf(key: string, tenant: string): string {
  return prefixOf(tenant) + key;
}

export function shortHash(text: string): string {
  return hash("sha256", text, "base64url").slice(0, 16);
}

export class Stored {
  private readonly options: StoredOptions;

  constructor(options: StoredOptions) {
    this.options = options;
  }

  /** @returns undefined when Redis does not say in time whether there is one. Never rejects. */
  async look(key: string, tenant: string, timeoutMs?: number): Promise<Found | undefined> {
    const { link, clears, clock } = this.options;
    // At once, so that no clear can come between.
    const command = ["MGET", storedKeyOf(key, tenant), GENERATION_KEY];
    const said = await link.ask("find", command, { timeoutMs });
    if (!said) return undefined;
    const [bytes, generation] = said.reply as [Buffer | null, unknown];
    if (!(await clears.upTo(numberOf(generation)))) return { entry: undefined, current: false };
    const found = bytes ? decodeEntry(bytes) : undefined;
    const holds =
      found &&
      found.entry.tenant === tenant &&
      found.entry.expiresAtMs > clock.now() &&
      !clears.isCleared(found.entry, found.generation);
    return { entry: holds ? found.entry : undefined, current: true };
  }

  /** In the background. */
  put(key: string, entry: Entry): void {
    const { link, clears, clock, maxEntryBytes } = this.options;
    const ttlMs = Math.floor(entry.expiresAtMs - clock.now());
    if (ttlMs <= 0 || entry.bytes > maxEntryBytes) return;
    const bytes = encodeEntry(entry, clears.generation);
    if (bytes.length > maxEntryBytes) return;
    const command = ["SET", storedKeyOf(key, entry.tenant), bytes, "PX", String(ttlMs)];
    link.write("keep", command, bytes.length);
  }
}
