/**
 * The requests that were asked most, prompts included, in this process's memory alone and only as many as the
 * configuration allows. It knows no answers.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ChatRequest, ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Which } from "./answers.ts";
import { keyOf, type Scope } from "./key.ts";

export interface Asked {
  readonly request: ChatRequest;
  readonly tenant: string;
  readonly cacheScope: string;
}

interface Remembered extends Scope {
  readonly body: Uint8Array;
  readonly tags: Readonly<Record<string, string>>;
  count: number;
}

/** Of all that is remembered together. */
const MAX_BYTES = 67_108_864;

export class Frequent {
  /** The one that was not asked for longest comes first. */
  private readonly known = new Map<string, Remembered>();
  private limit: number;
  private bytes = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Whether any may be remembered. */
  get isWanted(): boolean {
    return this.limit > 0;
  }

  get size(): number {
    return this.known.size;
  }

  /** Those beyond the new limit are forgotten at once. */
  bound(limit: number): void {
    this.limit = limit;
    this.trim();
  }

  count(request: ChatRequest, scope: Scope, tags: Readonly<Record<string, string>>): void {
    const key = keyOf(request, scope);
    const known = this.known.get(key);
    if (known) {
      known.count++;
      this.known.delete(key);
      this.known.set(key, known);
      return;
    }
    const body = toBinary(ChatRequestSchema, request);
    if (body.length > MAX_BYTES) return;
    this.known.set(key, { ...scope, body, tags, count: 1 });
    this.bytes += body.length;
    this.trim();
  }

  /** Of those that are meant, the most frequent first. */
  most(count: number, isMeant: (one: Omit<Asked, "request">) => boolean): Asked[] {
    return [...this.known.values()]
      .filter(isMeant)
      .sort((one, other) => other.count - one.count)
      .slice(0, count)
      .map(({ body, tenant, cacheScope }) => ({
        request: fromBinary(ChatRequestSchema, body),
        tenant,
        cacheScope,
      }));
  }

  /** @returns how many there were of those */
  forget({ tenant, family, tag }: Which): number {
    let forgotten = 0;
    for (const [key, one] of this.known) {
      if (tenant !== undefined && one.tenant !== tenant) continue;
      if (family !== undefined && one.family !== family) continue;
      if (tag !== undefined && one.tags[tag.key] !== tag.value) continue;
      this.drop(key, one);
      forgotten++;
    }
    return forgotten;
  }

  private trim(): void {
    for (const [key, one] of this.known) {
      if (this.known.size <= this.limit && this.bytes <= MAX_BYTES) return;
      this.drop(key, one);
    }
  }

  private drop(key: string, { body }: Remembered): void {
    this.known.delete(key);
    this.bytes -= body.length;
  }
}
