/** `llmgateway webhooks`: how the ends of jobs and batches were told. */
import { toJsonString } from "@bufbuild/protobuf";
import {
  ListWebhooksResponseSchema,
  type Webhook,
  type WebhookDelivery,
  WebhookSchema,
} from "../../gen/ts/llmgateway/v1/job_pb.ts";
import { call, JSON_OPTIONS } from "./call.ts";
import { type JsonOptions, when } from "./jobs.ts";
import { fields, table } from "./table.ts";

const PRETTY = { ...JSON_OPTIONS, prettySpaces: 2 } as const;

export function listWebhooks({
  status,
  limit,
  json,
  ...options
}: JsonOptions & { readonly status: string; readonly limit: number }): Promise<number> {
  return call(options, async (gateway, signal) => {
    const page = await gateway.listWebhooks({ status, pageSize: limit }, { signal });
    if (json) {
      process.stdout.write(`${toJsonString(ListWebhooksResponseSchema, page, PRETTY)}\n`);
      return;
    }
    const rows = page.webhooks.map((webhook) => [
      webhook.webhookId,
      webhook.subject,
      webhook.status,
      String(webhook.attempts),
      when(webhook.createdAt),
      webhook.url,
    ]);
    process.stdout.write(table(["WEBHOOK", "OF", "STATUS", "TRIES", "SINCE", "URL"], rows));
  });
}

export function getWebhook(webhookId: string, options: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) =>
    print(await gateway.getWebhook({ webhookId }, { signal }), options.json),
  );
}

export function redeliverWebhook(webhookId: string, options: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) =>
    print(await gateway.redeliverWebhook({ webhookId }, { signal }), options.json),
  );
}

function print(webhook: Webhook, json: boolean): void {
  if (json) {
    process.stdout.write(`${toJsonString(WebhookSchema, webhook, PRETTY)}\n`);
    return;
  }
  process.stdout.write(
    fields({
      webhook: webhook.webhookId,
      of: webhook.subject,
      status: webhook.status,
      url: webhook.url,
      since: when(webhook.createdAt),
      delivered: when(webhook.deliveredAt),
      "next try": when(webhook.nextAttemptAt),
    }),
  );
  if (webhook.deliveries.length === 0) return;
  process.stdout.write(`\n${table(["TRY", "AT", "STATUS", "TOOK", "ERROR"], webhook.deliveries.map(rowOf))}`);
}

function rowOf({ attempt, startedAt, httpStatus, latencyMs, error }: WebhookDelivery): string[] {
  return [String(attempt), when(startedAt), String(httpStatus ?? "-"), `${latencyMs} ms`, error];
}
