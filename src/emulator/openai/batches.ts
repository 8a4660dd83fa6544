/** OpenAI's batches: made of an uploaded file, described while they are worked off, cancelled. */
import type { Batch as WireBatch } from "openai/resources/batches";
import type { Metadata } from "openai/resources/shared";
import { Batch, type BatchLine } from "../batches.ts";
import type { Exchange } from "../exchange.ts";
import type { Stage } from "../format.ts";
import { randomAlphanumeric } from "../random.ts";
import { Refusal } from "./errors.ts";
import { decodeLine, unservedLine } from "./line.ts";
import { parseBody } from "./request.ts";

/** Throws Refusal for a file that is none, or not meant for batches. */
export async function createBatch(exchange: Exchange, stage: Stage): Promise<WireBatch> {
  const { batches, files } = stage.batches;
  const {
    input_file_id: fileId,
    endpoint,
    completion_window: window,
    metadata,
  } = parseBody(await exchange.body());
  if (endpoint !== ENDPOINT) throw wrong("endpoint", `Only '${ENDPOINT}' is emulated.`);
  if (window !== "24h") throw wrong("completion_window", "Only '24h' is supported.");
  const file = files.get(String(fileId));
  if (file === undefined) throw wrong("input_file_id", `No such File object: ${fileId}`);
  if (file.purpose !== "batch")
    throw wrong("input_file_id", `File '${file.id}' has purpose '${file.purpose}', expected 'batch'.`);
  const id = `batch_${randomAlphanumeric(exchange.arrival.random, 24)}`;
  const batch = new Batch(id, file.id, metadata ?? null, stage.batchWindowMs);
  batches.set(id, batch);
  void work(batch, file.content, stage);
  return describeBatch(batch);
}

/** Throws Refusal 404. */
export function findBatch(id: string, { batches }: Stage): Batch {
  const batch = batches.batches.get(id);
  if (batch === undefined) throw new Refusal(404, `No batch found with id '${id}'.`);
  return batch;
}

/** The newest first. Throws Refusal 404 for a page that is to follow no batch. */
export function listBatches(query: URLSearchParams, stage: Stage): object {
  const all = [...stage.batches.batches.values()].reverse();
  const after = query.get("after");
  const from = after ? all.indexOf(findBatch(after, stage)) + 1 : 0;
  const to = from + (Number(query.get("limit")) || 20);
  const data = all.slice(from, to).map(describeBatch);
  return {
    object: "list",
    data,
    first_id: data.at(0)?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: to < all.length,
  };
}

/** Throws Refusal 409 for one that is over. */
export function cancelBatch(batch: Batch): void {
  if (batch.status === "cancelling") return;
  if (batch.status !== "validating" && batch.status !== "in_progress")
    throw new Refusal(409, `Cannot cancel a batch with status '${batch.status}'.`);
  batch.cancel();
}

export function describeBatch(batch: Batch): WireBatch {
  const { id, inputFileId, outputFileId, errorFileId, outputs, errors, faults, times } = batch;
  const at = Object.fromEntries(
    [...times]
      .filter(([status]) => status !== "validating")
      .map(([status, ms]) => [`${status}_at`, Math.floor(ms / 1000)]),
  );
  return {
    id,
    object: "batch",
    endpoint: ENDPOINT,
    input_file_id: inputFileId,
    completion_window: "24h",
    status: batch.status as WireBatch["status"],
    created_at: Math.floor(batch.createdAtMs / 1000),
    expires_at: Math.floor(batch.endsAtMs / 1000),
    ...at,
    ...(faults.length > 0 && { errors: { object: "list", data: [...faults] } }),
    ...(outputFileId !== undefined && { output_file_id: outputFileId }),
    ...(errorFileId !== undefined && { error_file_id: errorFileId }),
    request_counts: { total: batch.total, completed: outputs.length, failed: errors.length },
    metadata: batch.metadata as Metadata | null,
  };
}

const ENDPOINT = "/v1/chat/completions";

async function work(batch: Batch, content: string, stage: Stage): Promise<void> {
  // It is described as being validated before it is.
  await new Promise(setImmediate);
  const lines = validated(batch, content, stage);
  if (batch.faults.length > 0) {
    batch.enter("failed");
    return;
  }
  batch.total = lines.length;
  if (batch.status === "validating") batch.enter("in_progress");
  const { end, unserved } = await batch.work(lines);
  const { random } = stage.arrive();
  // Of one that was cancelled, nothing is said of the lines that are left.
  if (end === "expired") {
    for (const { customId } of unserved)
      batch.errors.push(
        unservedLine(customId, `batch_req_${randomAlphanumeric(random, 24)}`, "batch_expired", EXPIRED),
      );
  }
  const store = (lines: readonly string[], kind: string): string | undefined => {
    if (lines.length === 0) return undefined;
    const id = `file-${randomAlphanumeric(random, 22)}`;
    const name = `${batch.id}_${kind}.jsonl`;
    const file = { id, name, purpose: "batch_output", createdAtMs: Date.now() };
    stage.batches.files.set(id, { ...file, content: `${lines.join("\n")}\n` });
    return id;
  };
  batch.outputFileId = store(batch.outputs, "output");
  batch.errorFileId = store(batch.errors, "error");
  batch.enter(end);
}

const EXPIRED = "This request could not be executed before the completion window expired.";

/** What is wrong with the file is kept by the batch. */
function validated(batch: Batch, content: string, stage: Stage): BatchLine[] {
  const faults: object[] = [];
  const fault = (code: string, message: string, line: number | null) =>
    faults.push({ code, message, line, param: null });
  const seen = new Set<string>();
  let first: BatchLine | undefined;
  const lines = content
    .split("\n")
    .filter((text) => text.trim() !== "")
    .flatMap((text, index) => {
      const line = decodeLine(text, stage);
      if (!line) fault("invalid_json_line", "This line is not parseable as a valid request.", index + 1);
      else if (seen.has(line.customId))
        fault("duplicate_custom_id", `The custom_id '${line.customId}' was used before.`, index + 1);
      else if (first && line.model !== first.model)
        fault("mismatched_model", "All requests of a batch must be for one model.", index + 1);
      else seen.add(line.customId);
      first ??= line;
      return line ?? [];
    });
  if (lines.length === 0 && faults.length === 0) fault("empty_file", "The input file has no requests.", null);
  batch.faults = faults;
  return lines;
}

function wrong(param: string, message: string): Refusal {
  return new Refusal(400, message, "invalid_value", param);
}
