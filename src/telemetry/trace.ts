/**
 * Spans: the request, each provider call, the serialisation. Exported by the
 * OpenTelemetry SDK when an endpoint is set; otherwise the SDK is not even loaded, and a request's span has its
 * ids alone.
 */
import {
  type Attributes,
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { type Clock, pass } from "../core/clock.ts";

const tracer = trace.getTracer("llmgateway");

const HEADERS = {
  keys: (headers: Headers) => [...headers.keys()],
  get: (headers: Headers, name: string) => headers.get(name) ?? undefined,
};

/** What a span is hung on: the headers of the caller. */
export type Headers = Pick<globalThis.Headers, "get" | "keys">;

/**
 * The span of a request, continuing the caller's trace where `traceparent` names one.
 *
 * @param callId of which its ids are made where nothing is recorded
 */
export function startRequestSpan(
  name: string,
  callId: string,
  headers: Headers,
  attributes: Attributes,
): Span {
  const traceparent = headers.get("traceparent");
  const parent = traceparent ? propagation.extract(context.active(), headers, HEADERS) : context.active();
  return withIds(
    tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent),
    callId,
    traceparent ?? "",
  );
}

/** The span of a run of a job, in a trace of its own that is linked to the submission's. */
export function startJobSpan(
  name: string,
  callId: string,
  traceparent: string,
  attributes: Attributes,
): Span {
  const submitted = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent }));
  const links = submitted ? [{ context: submitted }] : [];
  const options = { kind: SpanKind.CONSUMER, attributes, links, root: true };
  return withIds(tracer.startSpan(name, options), callId, "");
}

/** What names a span to others, as W3C's `traceparent`. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-${hexOf(traceFlags)}`;
}

/** What names a span in a log event, as OpenTelemetry names it in logs that are not its own. */
export function traceFields(span: Span) {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return { trace_id: traceId, span_id: spanId, trace_flags: hexOf(traceFlags) };
}

/** The parent itself when nothing is recorded: a call without tracing pays for none. */
export function startChildSpan(parent: Span, name: string, kind: SpanKind, attributes: Attributes): Span {
  if (!parent.isRecording()) return parent;
  return tracer.startSpan(name, { kind, attributes }, trace.setSpan(context.active(), parent));
}

/** Marks a span as failed, by the failure's kind. */
export function failSpan(span: Span, kind: string, message: string): void {
  span.setAttribute("error.type", kind);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/** As https://www.w3.org/TR/trace-context/ has it: version 00 has nothing behind its flags, later ones may. */
const TRACEPARENT =
  /^(?!ff|00.{54})[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-.*)?$/;

function withIds(span: Span, callId: string, traceparent: string): Span {
  return isSpanContextValid(span.spanContext()) ? span : trace.wrapSpanContext(idsOf(callId, traceparent));
}

/** The ids that a request has whose span nobody records: its trace is the caller's, or its own. */
function idsOf(callId: string, traceparent: string): SpanContext {
  // A UUIDv7 is a time and 74 random bits, of which 62 are its second half.
  const digits = callId.replaceAll("-", "");
  const traceId = TRACEPARENT.exec(traceparent)?.[1] ?? digits;
  return { traceId, spanId: digits.slice(16), traceFlags: TraceFlags.NONE };
}

function hexOf(flags: number): string {
  return flags.toString(16).padStart(2, "0");
}

export interface Export {
  /** Of OTLP/HTTP. */
  readonly endpoint: string;
  readonly serviceName: string;
  readonly clock: Clock;
  /** Told once, when what was still to be exported at the end could not be. */
  onLost(error: unknown): void;
}

/** An endpoint that takes nothing holds up no end for longer. */
const CLOSE_MS = 3_000;

/** Loads the SDK and exports until the returned function is called, which never rejects. */
export async function startTracing(options: Export): Promise<() => Promise<void>> {
  const { endpoint, serviceName, clock, onLost } = options;
  const [{ NodeSDK }, { OTLPTraceExporter }, { GrpcInstrumentation }] = await Promise.all([
    import("@opentelemetry/sdk-node"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/instrumentation-grpc"),
  ]);
  const sdk = new NodeSDK({
    serviceName,
    traceExporter: new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, "")}/v1/traces` }),
    metricReaders: [],
    logRecordProcessors: [],
    // Google's clients speak grpc-js, which this patches; calls served here have spans of their own.
    instrumentations: [new GrpcInstrumentation()],
  });
  sdk.start();
  return () => {
    const late = pass(clock, CLOSE_MS).then(() => {
      throw new Error(`${endpoint} did not take them within ${CLOSE_MS / 1_000} s`);
    });
    return Promise.race([sdk.shutdown(), late]).catch(onLost);
  };
}
