/** `llmgateway batch status` and `cancel`: a batch by its id. */
import { toJsonString } from "@bufbuild/protobuf";
import { type Batch, BatchSchema } from "../../../gen/ts/llmgateway/v1/job_pb.ts";
import { call, JSON_OPTIONS } from "../call.ts";
import { dollars } from "../describe.ts";
import { type JsonOptions, when } from "../jobs.ts";
import { fields } from "../table.ts";

export function batchStatus(batchId: string, options: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) =>
    print(await gateway.getBatch({ batchId }, { signal }), options.json),
  );
}

export function cancelBatch(batchId: string, options: JsonOptions): Promise<number> {
  return call(options, async (gateway, signal) =>
    print(await gateway.cancelBatch({ batchId }, { signal }), options.json),
  );
}

const COUNTED = ["pending", "running", "completed", "failed", "cancelled", "expired"] as const;

function print(batch: Batch, json: boolean): void {
  if (json) {
    process.stdout.write(`${toJsonString(BatchSchema, batch, { ...JSON_OPTIONS, prettySpaces: 2 })}\n`);
    return;
  }
  const counts = COUNTED.flatMap((status) => (batch[status] > 0 ? [`${batch[status]} ${status}`] : []));
  process.stdout.write(
    fields({
      batch: batch.batchId,
      status: batch.status,
      jobs: `${batch.total}: ${counts.join(", ")}`,
      cost: dollars(batch.costUsd),
      estimated: batch.estimatedCostUsd === undefined ? "" : dollars(batch.estimatedCostUsd),
      submitted: when(batch.createdAt),
      ended: when(batch.endedAt),
      "callback URL": batch.callbackUrl,
    }),
  );
}
