/** Runs of jobs in traces: each is one of its own, and is found from the submission. */
import { expect, test } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { endOf, jobsAt } from "../support/job-callers.ts";
import { startProcess } from "../support/process.ts";
import { startCollector } from "./otlp.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

test("a run links to the trace of its submission, and the provider's call is a part of it", async () => {
  const emulator = await startEmulator();
  await using collector = await startCollector();
  try {
    const env = {
      OPENAI_API_KEY: "emulated",
      OPENAI_BASE_URL: `${emulator.url}/v1`,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    };
    await using gateway = await startProcess(env);
    const client = jobsAt(gateway.url);
    const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
    const messages = [{ role: "user", content: "Hello" }];
    const { jobId } = await client.submitJob({ messages, model: "openai/gpt-4o" }, { headers });
    await endOf(client, { jobId });
    // All that it had is here once it has ended.
    expect(await gateway.stop()).toBe(0);
    const named = (name: string) => collector.spans.find((span) => span.name === name);
    const submission = named("llmgateway.v1.GatewayService/SubmitJob");
    const run = named("llmgateway.job");
    expect(submission).toMatchObject({ traceId: TRACE });
    expect(run).toMatchObject({
      links: [{ traceId: TRACE, spanId: submission?.spanId }],
      attributes: { "llmgateway.job.id": jobId, "gen_ai.provider.name": "openai" },
    });
    expect(run?.traceId).not.toBe(TRACE);
    expect(run?.parentSpanId || undefined).toBeUndefined();
    expect(named("chat gpt-4o")).toMatchObject({ traceId: run?.traceId, parentSpanId: run?.spanId });
  } finally {
    await emulator.close();
  }
});
