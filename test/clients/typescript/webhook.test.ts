/** What a receiver of webhooks takes and refuses. */
import { create, toJson } from "@bufbuild/protobuf";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { createGateway } from "../../../clients/typescript/src/node.ts";
import { verifyWebhook, WebhookVerificationError } from "../../../clients/typescript/src/webhook.ts";
import { ChatResponseSchema } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { BatchSchema, JobSchema } from "../../../gen/ts/llmgateway/v1/job_pb.ts";
import { startBoth } from "../../support/gateway.ts";
import { CALLS_HERE, SECRET as GATEWAYS_SECRET, startReceiver } from "../../support/receiver.ts";
import { ask } from "./ways.ts";

const SECRET = `whsec_${Buffer.from("a secret of the tests").toString("base64")}`;
const OTHER = `whsec_${Buffer.from("another one").toString("base64")}`;
const NAMES = { useProtoFieldName: true } as const;
const JOB = create(JobSchema, { jobId: "0191f2a0-0000-7000-8000-000000000000", status: "completed" });
const COMPLETED = JSON.stringify({
  type: "job.completed",
  timestamp: "2026-11-24T12:00:00.000Z",
  data: {
    job: { ...Object(toJson(JobSchema, JOB, NAMES)), from_the_future: 1 },
    result: toJson(ChatResponseSchema, create(ChatResponseSchema, { response: "Hello" }), NAMES),
  },
});

function signed(body: string, at = new Date()) {
  const id = JOB.jobId;
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(SECRET).sign(id, at, body),
  };
}

describe("verifyWebhook", () => {
  it("reads a job and its reply, whatever the headers and the body come as", () => {
    const headers = signed(COMPLETED);
    for (const given of [
      headers,
      new Headers(headers),
      { ...headers, cookie: ["a", "b"], host: undefined },
    ]) {
      for (const body of [COMPLETED, Buffer.from(COMPLETED), new TextEncoder().encode(COMPLETED)]) {
        const { type, timestamp, data } = verifyWebhook(body, given, SECRET);
        expect(type).toBe("job.completed");
        expect(timestamp).toEqual(new Date("2026-11-24T12:00:00Z"));
        expect(data.job).toEqual(JOB);
        expect(data.result?.response).toBe("Hello");
        expect(data).not.toHaveProperty("batch");
      }
    }
  });

  it("reads a batch", () => {
    const batch = create(BatchSchema, { total: 3 });
    const data = { batch: toJson(BatchSchema, batch, NAMES) };
    const body = JSON.stringify({ type: "batch.completed", timestamp: "2026-11-24T12:00:00Z", data });
    expect(verifyWebhook(body, signed(body), SECRET).data).toEqual({ batch });
  });

  it("takes any of several secrets", () => {
    expect(verifyWebhook(COMPLETED, signed(COMPLETED), [OTHER, SECRET]).type).toBe("job.completed");
    expect(() => verifyWebhook(COMPLETED, signed(COMPLETED), [])).toThrow("at least one");
  });

  it.each([
    ["another secret", COMPLETED, signed(COMPLETED), OTHER],
    ["another body", COMPLETED.replace("Hello", "Hallo"), signed(COMPLETED), SECRET],
    ["an old one", COMPLETED, signed(COMPLETED, new Date(Date.now() - 301_000)), SECRET],
    ["one without a signature", COMPLETED, {}, SECRET],
  ])("refuses %s", (_, body, headers, secret) => {
    expect(() => verifyWebhook(body, headers, secret)).toThrow(WebhookVerificationError);
  });

  it("reads what a gateway has sent", async () => {
    await using receiver = await startReceiver();
    await using both = await startBoth(CALLS_HERE.given, CALLS_HERE.surroundings);
    const callbackUrl = `http://127.0.0.1:${receiver.port}/hook`;
    const reply = await createGateway({ baseUrl: both.url }).submitAndWait({ ...ask("Hello"), callbackUrl });
    await expect.poll(() => receiver.received.length, { timeout: 9_000 }).toBe(1);
    const [one] = receiver.received;
    expect.assert(one, "there is a webhook");
    const { headers, body } = one;
    const { type, data } = verifyWebhook(body, headers, GATEWAYS_SECRET);
    expect(type).toBe("job.completed");
    expect(data.job).toMatchObject({ jobId: headers["webhook-id"], status: "completed", runs: 1 });
    expect(data.result).toEqual(reply);
    expect(() => verifyWebhook(`${body} `, headers, GATEWAYS_SECRET)).toThrow(WebhookVerificationError);
  });
});
