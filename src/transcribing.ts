/** What is said in calls, where the configuration has it kept: who has it kept, what is taken out of it, and for how long. */
import { toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { RequestTextSchema } from "../gen/ts/llmgateway/v1/usage_pb.ts";
import { matcherOf } from "./cache/patterns.ts";
import { sizeOf } from "./cache/size.ts";
import type { CompleteConfig } from "./config/defaults.ts";
import type { Layer } from "./core/call.ts";
import type { Clock } from "./core/clock.ts";
import { withoutKey } from "./core/redact.ts";
import { repeat } from "./core/repeat.ts";
import type { TranscriptRow, TranscriptStore } from "./core/transcript-store.ts";
import { type CaptureMeans, capture, heard, type Said } from "./layers/capture.ts";
import type { Signals } from "./layers/record.ts";
import { type KeptRules, keptText } from "./moderation/kept.ts";
import { pii } from "./moderation/pii.ts";
import { secrets } from "./moderation/secrets.ts";
import type { TextBackend } from "./rpc/text-handlers.ts";
import { TranscriptWriter } from "./transcripts/writer.ts";

export interface Transcribing extends Pick<TextBackend, "texts" | "flush"> {
  /** What is to stand in place of moderation; the very same where nothing is kept. */
  around(moderated: Layer, config: CompleteConfig): Layer;
  /** Another configuration is in force. Where it keeps nothing, what waits to be kept is forgotten. */
  replace(config: CompleteConfig): void;
  /** Writes what waits, as far as the database takes it within seconds. */
  close(): Promise<void>;
}

export interface Means {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signals: Signals;
  readonly clock: Clock;
  /** Whether rows of the ledger wait for the database. */
  isHeldUp(): boolean;
}

const SWEEP_MS = 60_000;
const DAY_MS = 86_400_000;
const CLOSE_MS = 5_000;

export function openTranscribing(first: CompleteConfig, store: TranscriptStore, means: Means): Transcribing {
  const { signals, clock } = means;
  const { logger, metrics } = signals;
  let inForce = rulesOf(first, means.env);
  const writer = new TranscriptWriter({
    store,
    clock,
    isHeldUp: means.isHeldUp,
    onWritten: (texts) => metrics.textsKept.inc(texts),
    onDropped: (texts, reason) => metrics.textsDropped.inc({ reason }, texts),
    onError: (error) => logger.error({ err: error }, "what was said in calls could not be kept"),
  });
  const captured: CaptureMeans = {
    mayKeep: ({ principal }) => inForce.enabled && !inForce.exempt.has(principal),
    get maxChars() {
      return inForce.kept.maxBytes;
    },
    keep(said) {
      // It may have been switched off since the call began.
      if (!captured.mayKeep(said.context)) return;
      const bytes = sizeOf(said.request.messages) + sizeOf(said.choices);
      writer.keep({ bytes, make: () => rowOf(said, inForce.kept, clock.now()) });
    },
  };
  const sweeping = repeat(clock, SWEEP_MS, () =>
    store
      .sweep(clock.now() - inForce.retentionDays * DAY_MS, inForce.maxTotalBytes)
      .catch((error: unknown) => logger.error({ err: error }, "what was said in calls could not be swept")),
  );
  return {
    texts: store,
    flush: () => writer.flush(),
    around: (moderated, { contentCapture }) =>
      contentCapture.enabled ? (next) => capture(captured)(moderated(heard()(next))) : moderated,
    replace(config) {
      inForce = rulesOf(config, means.env);
      if (!inForce.enabled) writer.clear();
    },
    async close() {
      await sweeping.stop();
      const late = Promise.withResolvers<void>();
      const timer = clock.after(CLOSE_MS, late.resolve);
      await Promise.race([writer.flush(), late.promise]);
      timer.cancel();
      writer.clear();
    },
  };
}

function rulesOf(config: CompleteConfig, env: Means["env"]) {
  const { enabled, maxBytesPerRequest, retentionDays, maxTotalBytes, redactPii } = config.contentCapture;
  const keys = keysOf(config, env);
  const kept: KeptRules = {
    maxBytes: maxBytesPerRequest,
    patterns: redactPii ? [secrets([]), pii([])] : [secrets([])],
    hide: (text) => keys.reduce(withoutKey, text),
    isSensitive: matcherOf(config.cache.sensitivePatterns),
  };
  const exempt = new Set(config.auth.keys.filter((key) => !key.captureContent).map(({ name }) => name));
  return { enabled, retentionDays, maxTotalBytes: Number(maxTotalBytes), kept, exempt };
}

/** Other variables that hold secrets, as they are or behind names. */
const SECRET_VARIABLES = [
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "LLMGATEWAY_API_KEYS",
];

/** The gateway's own, as they are. */
function keysOf({ providers, jobs }: CompleteConfig, env: Means["env"]): string[] {
  const variables = [
    ...Object.values(providers).map(({ apiKeyEnv }) => apiKeyEnv),
    jobs.webhooks.secretEnv,
    ...SECRET_VARIABLES,
  ];
  const values = variables.flatMap((name) => (name === "" ? [] : (env[name] ?? "").split(",")));
  const ofHeaders = Object.values(providers).flatMap(({ headers }) =>
    Object.entries(headers).flatMap(([name, value]) => (/auth|key|secret|token/i.test(name) ? [value] : [])),
  );
  const all = [...values, ...ofHeaders].map((value) => value.trim());
  const named = all.flatMap((value) => [value, value.slice(value.indexOf("=") + 1)]);
  // A key that is part of another must not leave the rest of it.
  return [...new Set(named)].filter((value) => value !== "").sort((a, b) => b.length - a.length);
}

function rowOf(said: Said, rules: KeptRules, storedAtMs: number): TranscriptRow | undefined {
  const { callId, requestId, tenant, principal } = said.context;
  const { choices, chars: answerChars, truncated } = said;
  const kept = keptText({ messages: said.request.messages, choices, answerChars, truncated }, rules);
  if (!kept) return undefined;
  const text = toBinary(RequestTextSchema, {
    $typeName: "llmgateway.v1.RequestText",
    ...kept,
    callId,
    storedAt: timestampFromMs(storedAtMs),
  });
  return { callId, requestId, tenant, principal, storedAtMs, text };
}
