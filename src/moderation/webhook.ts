/**
 * Asks a receiver of the operator's, by a signed POST to an address that is looked at when the connection is made. It
 * does not know who signs, nor which hosts are allowed.
 */
import { Pool } from "undici";

import type { Networks } from "../wire/address.ts";
import { createConnector, type Resolve } from "../wire/destination.ts";
import { isFields, parseAnswer } from "./answer.ts";
import type { Action, Asking, Said, Verdict } from "./hook.ts";

export interface WebhookMeans {
  /** One that is allowed. */
  readonly url: string;
  readonly networks: Networks;
  readonly resolve: Resolve;
  readonly connectTimeoutMs: number;
  /** The headers that prove who sends such a body. */
  sign(body: string): Record<string, string>;
  readonly userAgent: string;
  readonly windowChars: number;
}

const CONNECTIONS = 32;
const MAX_REPLY_BYTES = 1024 * 1024;
const ACTIONS: readonly string[] = ["allow", "flag", "redact", "refuse"];

export function webhook(means: WebhookMeans): { readonly looks: Asking; close(): Promise<void> } {
  const { origin, pathname, search } = new URL(means.url);
  const { networks, resolve, connectTimeoutMs: timeoutMs } = means;
  const connect = createConnector({ networks, resolve, timeoutMs });
  const pool = new Pool(origin, { connect, connections: CONNECTIONS, headersTimeout: 0, bodyTimeout: 0 });
  return {
    looks: {
      kind: "asking",
      windowChars: means.windowChars,
      async ask(texts, { stage, requestId, tenant, principal, signal }) {
        const about = { stage, request_id: requestId, tenant, key: principal };
        const body = JSON.stringify({ type: "moderation.asked", ...about, texts });
        const reply = await pool.request({
          method: "POST",
          path: pathname + search,
          headers: { ...means.sign(body), "content-type": "application/json", "user-agent": means.userAgent },
          body,
          signal,
        });
        const text = await textOf(reply.body);
        if (reply.statusCode !== 200) throw new Error(`the receiver answered ${reply.statusCode}`);
        return verdictIn(parseAnswer(text), texts);
      },
    },
    close: () => pool.close(),
  };
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_REPLY_BYTES) throw new Error("the receiver's answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** @throws Error where it is no verdict */
function verdictIn(reply: unknown, texts: readonly string[]): Verdict {
  if (!isFields(reply) || typeof reply.action !== "string" || !ACTIONS.includes(reply.action))
    throw new Error(`the receiver's answer has no "action" of ${ACTIONS.join(", ")}`);
  const action = reply.action as Action;
  if (action === "allow") return { said: [], action };
  const { findings = [] } = reply;
  if (!Array.isArray(findings)) throw new Error(`the receiver's "findings" are no list`);
  const said = findings.map((finding: unknown) => saidIn(finding, texts));
  const all = texts.map(
    (text, index): Said => ({ text: index, start: 0, end: text.length, category: "webhook" }),
  );
  return { said: said.length > 0 ? apart(said) : action === "redact" ? all : all.slice(0, 1), action };
}

/** Places are counted in characters, as Unicode has them; without any, the whole text is meant. */
function saidIn(finding: unknown, texts: readonly string[]): Said {
  const { text: index = 0, start = 0, end, category = "webhook" } = isFields(finding) ? finding : {};
  const text = typeof index === "number" ? texts[index] : undefined;
  if (text === undefined) throw new Error(`a finding's "text" is none of those that were sent`);
  const whole = charactersIn(text);
  const last = end ?? whole;
  if (!isPlace(start, whole) || !isPlace(last, whole) || last < start)
    throw new Error(`a finding's "start" and "end" are no place in its text`);
  return {
    text: Number(index),
    start: offsetOf(text, start),
    end: offsetOf(text, last),
    category: typeof category === "string" && /^[A-Za-z0-9_.-]{1,48}$/.test(category) ? category : "webhook",
  };
}

function isPlace(value: unknown, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most;
}

const PAIRS = /[\ud800-\udbff][\udc00-\udfff]/g;

function charactersIn(text: string): number {
  return text.length - (text.match(PAIRS)?.length ?? 0);
}

function offsetOf(text: string, characters: number): number {
  let offset = characters;
  for (const { index } of text.matchAll(PAIRS)) {
    if (index >= offset) break;
    offset++;
  }
  // A pair that begins right there is not part of it.
  return offset;
}

/** In order, and of those that overlap the first. */
function apart(said: readonly Said[]): Said[] {
  const kept: Said[] = [];
  for (const one of [...said].sort((a, b) => a.text - b.text || a.start - b.start)) {
    const last = kept.at(-1);
    if (!last || last.text !== one.text || last.end <= one.start) kept.push(one);
  }
  return kept;
}
