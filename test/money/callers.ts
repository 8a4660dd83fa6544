/** Makes the planned calls, so many at a time, and keeps each receipt that a caller gets. */
import { ConnectError } from "@connectrpc/connect";
import { ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { CALLERS, type Conversation } from "../support/callers.ts";
import type { MarkedReceipt } from "./books.ts";
import type { Plan } from "./plans.ts";

/** How many calls are under way at a time. */
const CONCURRENCY = 200;

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
      const receipt = await makeCall(conversation, plan, over);
      if (receipt) receipts.push({ mark: plan.mark, receipt });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  return receipts;
}

type Told = MarkedReceipt["receipt"] | undefined;

async function makeCall(conversation: Conversation, plan: Plan, over: AbortSignal): Promise<Told> {
  const leaving = new AbortController();
  const { leaves, deadlineMs, request, texts } = plan;
  const timer = leaves && "afterMs" in leaves ? setTimeout(() => leaving.abort(), leaves.afterMs) : undefined;
  const signal = AbortSignal.any([leaving.signal, over]);
  const options = { signal, ...(deadlineMs ? { timeoutMs: deadlineMs } : {}) };
  try {
    if (plan.kind === "chat") return await conversation.chat(request, options);
    if (plan.kind === "embed") {
      const { model = "" } = request;
      return await conversation.embed({ model, input: [...texts], metadata: { mark: plan.mark } }, options);
    }
    let events = 0;
    let told: Told;
    for await (const event of conversation.stream(request, options)) {
      events += 1;
      told ??= event.receipt ?? event.error?.receipt;
      if (leaves && "afterEvents" in leaves && events === leaves.afterEvents) leaving.abort();
    }
    return told;
  } catch (error) {
    return ConnectError.from(error).findDetails(ReceiptSchema)[0];
  } finally {
    clearTimeout(timer);
  }
}
