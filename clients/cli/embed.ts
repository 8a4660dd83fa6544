/** `llmgateway embed`: vectors of texts, by the TypeScript client, with their cost. */
import { text } from "node:stream/consumers";
import { create, toJsonString } from "@bufbuild/protobuf";
import { EmbedRequestSchema, EmbedResponseSchema } from "../../gen/ts/llmgateway/v1/embed_pb.ts";
import { type CallOptions, call, JSON_OPTIONS } from "./call.ts";
import { describeReceipt } from "./describe.ts";

export interface EmbedOptions extends CallOptions {
  readonly model: string;
  readonly modelVersion: string;
  readonly inputType: string;
  readonly dimensions?: number;
  readonly maxCost?: number;
  readonly timeout?: number;
  readonly json: boolean;
}

/** Prints how long the vectors are to standard output and the cost to standard error; gives the exit status. */
export async function embed(texts: readonly string[], options: EmbedOptions): Promise<number> {
  const { model, modelVersion, inputType, dimensions } = options;
  const input = await Promise.all(texts.map((one) => (one === "-" ? text(process.stdin) : one)));
  const request = create(EmbedRequestSchema, {
    input,
    model,
    modelVersion,
    inputType,
    ...(dimensions === undefined ? {} : { dimensions }),
    ...(options.maxCost === undefined ? {} : { maxCostUsd: options.maxCost }),
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
  });
  return call(options, async (gateway, signal) => {
    const reply = await gateway.embed(request, { signal });
    if (options.json) {
      process.stdout.write(`${toJsonString(EmbedResponseSchema, reply, JSON_OPTIONS)}\n`);
      return;
    }
    for (const { values } of reply.embeddings) process.stdout.write(`${values.length} dimensions\n`);
    process.stderr.write(`${describeReceipt(reply)}\n`);
  });
}
