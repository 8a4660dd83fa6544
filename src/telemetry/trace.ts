/**
 * Spans: the request, each provider call, the serialisation. Exported by the
 * OpenTelemetry SDK when an endpoint is set; otherwise the SDK is not even loaded.
 */
import {
  type Attributes,
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

const tracer = trace.getTracer("llmgateway");

const HEADERS = {
  keys: (headers: Headers) => [...headers.keys()],
  get: (headers: Headers, name: string) => headers.get(name) ?? undefined,
};

/** What a span is hung on: the headers of the caller. */
export type Headers = Pick<globalThis.Headers, "get" | "keys">;

/** The span of a request, continuing the caller's trace where `traceparent` names one. */
export function startRequestSpan(name: string, headers: Headers, attributes: Attributes): Span {
  const parent = headers.get("traceparent")
    ? propagation.extract(context.active(), headers, HEADERS)
    : context.active();
  return tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
}

/** The span of a run of a job, in a trace of its own that is linked to the submission's. */
export function startJobSpan(name: string, traceparent: string, attributes: Attributes): Span {
  const submitted = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent }));
  const links = submitted ? [{ context: submitted }] : [];
  return tracer.startSpan(name, { kind: SpanKind.CONSUMER, attributes, links, root: true });
}

/** What names a span to those who come later, as W3C's `traceparent`; empty when nothing is recorded. */
export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if (!isSpanContextValid(span.spanContext())) return "";
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
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

/** Loads the SDK and exports to an OTLP/HTTP endpoint until the returned function is called. */
export async function startTracing(endpoint: string, serviceName: string): Promise<() => Promise<void>> {
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
  return () => sdk.shutdown();
}
