/**
 * One POST to a receiver of webhooks: what it is sent as, and what its answer comes to. It does not know what is
 * told, nor whether it will be told again.
 */
import type { IncomingHttpHeaders } from "node:http";
import { Client, type Dispatcher } from "undici";
import { type Clock, elapsedMs } from "../../core/clock.ts";
import { redact, withoutKey } from "../../core/redact.ts";
import { VERSION } from "../../version.ts";
import { createNetworks } from "../../wire/address.ts";
import { createConnector, ForbiddenAddress, type Resolve } from "../../wire/destination.ts";
import { retryAfterMs } from "../../wire/retry_after.ts";
import { forbidden, type WebhookRules } from "./allow.ts";

export interface Outgoing {
  /** One that the rules allow. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body: string;
}

export interface PostOptions {
  readonly rules: WebhookRules;
  readonly resolve: Resolve;
  readonly clock: Clock;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

export interface Outcome {
  /** Absent when there was no answer. */
  readonly httpStatus?: number;
  /** For people; empty for a success. */
  readonly error: string;
  /** What the receiver asks for. */
  readonly retryAfterMs?: number;
  /** Until the answer's head was there. */
  readonly latencyMs: number;
}

/** What is read of an answer; what is beyond stays unread. */
const MAX_REPLY_BYTES = 64 * 1024;
const MAX_EXCERPT = 200;

/** Never rejects. The connection is made for it, by today's rules and today's address, and closed with it. */
export async function post(outgoing: Outgoing, options: PostOptions): Promise<Outcome> {
  const { rules, resolve, clock, signal } = options;
  const { timeoutMs } = rules;
  const { origin, pathname, search } = new URL(outgoing.url);
  const networks = createNetworks(rules.allowedNetworks);
  const connect = createConnector({ networks, resolve, timeoutMs });
  const client = new Client(origin, { connect, headersTimeout: 0, bodyTimeout: 0 });
  const startedAtMs = clock.now();
  const end = (error: unknown) => void client.destroy(error as Error);
  const timer = clock.after(timeoutMs, () => end(new LateReceiver()));
  const onAbort = () => end(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const reply = await client.request({
      method: "POST",
      path: pathname + search,
      headers: { ...outgoing.headers, "content-type": "application/json", "user-agent": USER_AGENT },
      body: outgoing.body,
      reset: true,
    });
    const latencyMs = elapsedMs(startedAtMs, clock.now());
    const text = await readSome(reply.body);
    return { ...judge(reply.statusCode, reply.headers, text, rules), latencyMs };
  } catch (error) {
    return { error: reasonOf(error, rules), latencyMs: elapsedMs(startedAtMs, clock.now()) };
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
    void client.destroy();
  }
}

const USER_AGENT = `llmgateway/${VERSION}`;

class LateReceiver extends Error {}

/** The head has said all that counts: whatever ends the body early is no matter. */
async function readSome(body: Dispatcher.ResponseData["body"]): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MAX_REPLY_BYTES) break;
    }
  } catch {
    // As said above.
  }
  return Buffer.concat(chunks).toString("utf8", 0, MAX_REPLY_BYTES);
}

function judge(
  httpStatus: number,
  headers: IncomingHttpHeaders,
  text: string,
  { secrets }: WebhookRules,
): Omit<Outcome, "latencyMs"> {
  if (httpStatus >= 200 && httpStatus < 300) return { httpStatus, error: "" };
  if (httpStatus >= 300 && httpStatus < 400)
    return { httpStatus, error: `the receiver answered ${httpStatus}: redirects are not followed` };
  const said = isText(headers) ? excerptOf(text, secrets) : "";
  const error = `the receiver answered ${httpStatus}${said && `: ${said}`}`;
  const delayMs = retryAfterMs(headers);
  return { httpStatus, error, ...(delayMs !== undefined && { retryAfterMs: delayMs }) };
}

function isText({ "content-type": type = "", "content-encoding": encoding }: IncomingHttpHeaders): boolean {
  return encoding === undefined && /^text\/|\bjson\b/.test(type);
}

/** Redacted before it is cut, since half a secret may not be told by its look. */
function excerptOf(text: string, secrets: readonly string[]): string {
  const clean = secrets
    .reduce((rest, secret) => withoutKey(rest, secret.replace(/^whsec_/, "")), redact(text))
    .replace(/[\s\p{C}]+/gu, " ")
    .trim();
  return clean.length > MAX_EXCERPT ? `${clean.slice(0, MAX_EXCERPT)}…` : clean;
}

/** Words for the usual reasons. None holds an address: those who read it may not know the network. */
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "its host's name has no address",
  EAI_AGAIN: "its host's name cannot be looked up now",
  ECONNREFUSED: "its host refuses the connection",
  ECONNRESET: "the receiver closed the connection before it answered",
  UND_ERR_SOCKET: "the receiver closed the connection before it answered",
};

function reasonOf(error: unknown, { timeoutMs }: WebhookRules): string {
  if (error instanceof ForbiddenAddress) return forbidden(error.kind);
  if (error instanceof LateReceiver) return `the receiver did not answer within ${timeoutMs / 1000} s`;
  const code = String((error as { code?: unknown } | undefined)?.code ?? "");
  return REASONS[code] ?? `the receiver could not be asked${code && ` (${code})`}`;
}
