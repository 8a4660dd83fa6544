/** Makes the planned calls, so many at a time, and keeps each receipt that a caller gets. */
import { type CallOptions, ConnectError } from "@connectrpc/connect";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type Conversation } from "../support/callers.ts";
import type { MarkedReceipt } from "./books.ts";
import type { Plan } from "./plans.ts";

/** How many calls are under way at a time. */
const CONCURRENCY = 200;

/** A comparison has a receipt for each model, under the call's mark, this and the model's name; or one of all, without it. */
export const COMPARED = "#";

/**
 * @param over makes everyone leave, and nobody begin any more
 * @returns the receipts, of those that got one; resolves when all calls have ended, one way or another
 */
export async function makeCalls(
  url: string,
  plans: readonly Plan[],
  over = new AbortController().signal,
): Promise<MarkedReceipt[]> {
  const conversations = CALLERS.map((caller) => caller.at(url));
  const receipts: MarkedReceipt[] = [];
  const left = plans.values();
  const caller = async () => {
    for (const plan of left) {
      if (over.aborted) return;
      const conversation = conversations[plan.caller];
      if (!conversation) throw new Error(`there is no caller ${plan.caller}`);
      receipts.push(...(await makeCall(conversation, plan, over)));
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  return receipts;
}

async function makeCall(
  conversation: Conversation,
  plan: Plan,
  over: AbortSignal,
): Promise<readonly MarkedReceipt[]> {
  const leaving = new AbortController();
  const { leaves, deadlineMs, mark, models } = plan;
  const timer = leaves && "afterMs" in leaves ? setTimeout(() => leaving.abort(), leaves.afterMs) : undefined;
  const signal = AbortSignal.any([leaving.signal, over]);
  const options = {
    signal,
    headers: { "x-request-id": mark },
    ...(deadlineMs ? { timeoutMs: deadlineMs } : {}),
  };
  const receipts: MarkedReceipt[] = [];
  let events = 0;
  const heard = (receipt: MarkedReceipt["receipt"] | undefined, model = "") => {
    events += 1;
    if (receipt) receipts.push({ mark: model ? `${mark}${COMPARED}${model}` : mark, receipt });
    if (leaves && "afterEvents" in leaves && events === leaves.afterEvents) leaving.abort();
  };
  try {
    await converse(conversation, plan, options, heard);
  } catch (error) {
    const [receipt] = ConnectError.from(error).findDetails(ReceiptSchema);
    // Over REST it was an event before.
    if (receipt && receipts.length === 0)
      receipts.push({ mark: models ? `${mark}${COMPARED}` : mark, receipt });
  } finally {
    clearTimeout(timer);
  }
  return receipts;
}

/** @param heard told of each reply or event, with its receipt and, in a comparison, its model */
async function converse(
  conversation: Conversation,
  { kind, request, texts, models, mark }: Plan,
  options: CallOptions,
  heard: (receipt: MarkedReceipt["receipt"] | undefined, model?: string) => void,
): Promise<void> {
  if (models) {
    for await (const { event, model } of conversation.compare({ request, models: [...models] }, options))
      heard(event?.receipt ?? event?.error?.receipt, model);
  } else if (kind === "chat") heard(await conversation.chat(request, options));
  else if (kind === "embed") {
    const { model = "" } = request;
    heard(await conversation.embed({ model, input: [...texts], metadata: { mark } }, options));
  } else
    for await (const { receipt, error } of conversation.stream(request, options))
      heard(receipt ?? error?.receipt);
}
