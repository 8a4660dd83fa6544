/** Makes the calls that the criteria are shown by, and gathers what was told of each: to its caller, in the log, in the ledger, by its provider. */
import { join } from "node:path";
import { type CallOptions, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { vi } from "vitest";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { type Receipt, ReceiptSchema } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { RequestSummary } from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { AttemptRow } from "../money/books.ts";
import type { Exchange } from "../money/exchanges.ts";
import { readLedger } from "../money/sqlite.ts";
import { CALLERS, type Conversation } from "../support/callers.ts";
import { type LogEvent, startBoth } from "../support/gateway.ts";
import { fallbackChains, type Planned } from "./criteria-calls.ts";

/** What the caller of one saw. */
export interface Seen {
  /** Of the reply, failures included. */
  readonly headers: Headers;
  /** Undefined where none came. */
  readonly receipt: Receipt | undefined;
  readonly failed: boolean;
}

export interface Told extends Seen {
  readonly planned: Planned;
  readonly event: LogEvent;
  /** Undefined where the ledger has none. */
  readonly summary: RequestSummary | undefined;
}

export interface Played {
  readonly told: readonly Told[];
  readonly log: readonly LogEvent[];
  readonly attempts: readonly AttemptRow[];
  readonly exchanges: readonly Exchange[];
  readonly metrics: string;
}

const AT_ONCE = 16;

export async function play(calls: readonly Planned[], folder: string): Promise<Played> {
  const down = {
    kind: "openai_compatible",
    base_url: "http://127.0.0.1:1/v1",
    api_key_env: "OPENAI_API_KEY",
  };
  const data_dir = join(folder, "data");
  const config = {
    providers: { down },
    fallback_chains: fallbackChains(),
    cache: { enabled: true },
    ledger: { data_dir },
  };
  let played: Omit<Played, "attempts"> | undefined;
  {
    await using both = await startBoth(config);
    const { url, log, emulator } = both;
    const conversations = CALLERS.map((caller) => caller.at(url));
    const seen = new Map<Planned, Seen>();
    const left = calls.values();
    const worker = async () => {
      for (const call of left) seen.set(call, await make(conversations[call.caller] as Conversation, call));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    await vi.waitFor(() => {
      if (emulator.meter.totals().open > 0) throw new Error("the provider is not done");
    });
    const events = await Promise.all(calls.map(({ mark }) => log.about(mark)));
    const summaries = await summariesAt(url);
    const told = calls.map((planned, at) => ({
      ...(seen.get(planned) as Seen),
      planned,
      event: events[at] as LogEvent,
      summary: summaries.get(planned.mark),
    }));
    const metrics = await (await fetch(`${url}/v1/gateway/metrics`)).text();
    played = { told, log: [...log.events], exchanges: [...emulator.meter.requests], metrics };
  }
  return { ...played, attempts: readLedger(data_dir).attempts };
}

async function make(conversation: Conversation, call: Planned): Promise<Seen> {
  const { mark, trace, kind, leavesAfter, request, texts } = call;
  const leaving = new AbortController();
  let headers = new Headers();
  const options: CallOptions = {
    signal: leaving.signal,
    headers: { "x-request-id": mark, ...(trace ? { traceparent: `00-${trace}-b7ad6b7169203331-01` } : {}) },
    onHeader: (given) => {
      headers = given;
    },
  };
  let receipt: Receipt | undefined;
  try {
    if (call.way === "embed") {
      const { model = "", metadata = {} } = request;
      receipt = receiptOf(await conversation.embed({ model, metadata, input: [...texts] }, options));
    } else if (call.way === "chat") {
      // The one who pays for it is another.
      if (kind === "cache hit") await conversation.chat(request);
      receipt = receiptOf(await conversation.chat(request, options));
    } else {
      let events = 0;
      for await (const event of conversation.stream(request, options)) {
        receipt ??= event.receipt ?? event.error?.receipt;
        events += 1;
        if (events === leavesAfter) leaving.abort();
      }
    }
    return { headers, receipt, failed: false };
  } catch (error) {
    const failure = ConnectError.from(error);
    for (const [name, value] of failure.metadata) if (!headers.has(name)) headers.set(name, value);
    return { headers, receipt: failure.findDetails(ReceiptSchema)[0] ?? receipt, failed: true };
  }
}

/** Of a whole reply, which has the receipt's fields as its own. */
function receiptOf(reply: Pick<Receipt, "cost" | "attempts" | "cached">): Receipt {
  return reply as Receipt;
}

async function summariesAt(url: string): Promise<Map<string, RequestSummary>> {
  const admin = createClient(AdminService, createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
  const summaries = new Map<string, RequestSummary>();
  let pageToken = "";
  do {
    const page = await admin.listRequests({ pageSize: 500, pageToken });
    for (const summary of page.requests) summaries.set(summary.requestId, summary);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return summaries;
}
