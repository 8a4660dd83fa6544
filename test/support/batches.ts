/** The stack below the router for batch calls: the real layers, prices, ledger and provider, over the emulator. */
import { readFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import type { Parked, Parking, RoutedCall, Target } from "../../src/core/call.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { BudgetRule } from "../../src/cost/budget/scopes.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import { createLedger } from "../../src/cost/ledger.ts";
import type { Pricing } from "../../src/cost/means.ts";
import { batch } from "../../src/layers/batch.ts";
import { client } from "../../src/layers/client.ts";
import { deadline } from "../../src/layers/deadline.ts";
import { drop } from "../../src/layers/drop.ts";
import { meter } from "../../src/layers/meter.ts";
import { timeout } from "../../src/layers/timeout.ts";
import { createProvider } from "../../src/providers/registry.ts";
import type { Store } from "../../src/store/store.ts";
import { type CallInit, eventsOf, routedCallOf } from "./call.ts";
import { hastened, noon } from "./clock.ts";
import { accountsOf, budgetsOf } from "./means.ts";
import { settingsOf } from "./provider.ts";

const catalog = loadCatalog(readFileSync("docs/price-catalog.json", "utf8"), "the catalog");
export const MINI: Target = { provider: "openai", model: "gpt-4o-mini" };

const PRICES: Pricing = {
  version: catalog.version,
  find: ({ provider, model }) => catalog.find(provider, model),
  kindOf: (provider) => provider,
  unknownModels: "",
};

/** What a job's store keeps of a run, for this call. */
export class Spot implements Parking {
  parked: Parked | undefined;
  private readonly kept = Promise.withResolvers<string>();
  /** Resolves with it once it is kept. */
  readonly place = this.kept.promise;

  constructor(where?: string) {
    this.parked = where === undefined ? undefined : { where };
  }

  async park({ where }: Parked): Promise<void> {
    this.kept.resolve(where);
  }
}

export interface BatchCall extends Pick<CallInit, "signal" | "target" | "streaming"> {
  readonly callId: string;
  readonly text?: string;
  readonly parking: Parking | undefined;
  readonly timeoutMs?: number;
}

/** A process: what it has in memory is gone with it. */
export function batchStack(
  url: string,
  {
    store,
    clock = hastened(200, noon()),
    budgets = [],
  }: { store?: Store; clock?: Clock; budgets?: BudgetRule[] } = {},
) {
  const provider = createProvider(
    settingsOf("openai", { kind: "openai", baseUrl: `${url}/v1` }, ["emulated"], clock),
  );
  onTestFinished(() => provider.close());
  const ledger =
    store &&
    createLedger({
      store: store.ledger,
      clock,
      maxWaitingRows: 10_000,
      whenFull: "wait",
      onLost: () => {},
      onError: () => {},
    });
  const wall = budgetsOf(clock, budgets);
  const limits = { totalMs: 10_000, firstEventMs: 1_000, idleMs: 1_000, streamMs: 1_000 };
  const rules = {
    providers: ["openai"],
    isPriced: (target: Target) => PRICES.find(target, 0)?.serviceTiers.has("batch") === true,
    pricedModels: () => ["gpt-4o"],
  };
  const service = deadline<RoutedCall>(clock)(
    batch(rules)(
      timeout(
        () => limits,
        clock,
      )(
        meter(accountsOf(clock, { pricing: PRICES, ledger, budgets: wall }))(
          drop(() => false)(client(new Map([["openai", provider.serve]]))),
        ),
      ),
    ),
  );
  const run = async ({ callId, text = "Hello", parking, timeoutMs, ...init }: BatchCall) => {
    const call = routedCallOf({
      target: MINI,
      streaming: false,
      ...init,
      context: { callId, startedAtMs: clock.now() },
      request: {
        messages: [{ role: "user", content: text }],
        parameters: { serviceTier: "batch", maxTokens: 100 },
        ...(timeoutMs !== undefined && { timeoutMs }),
      },
    });
    const told = await service({ ...call, parking })
      .then(eventsOf)
      .then(
        (events) => ({ events, failure: undefined }),
        (failure: unknown) => ({ events: undefined, failure }),
      );
    return {
      ...told,
      attempt: call.tally.attempts.at(-1),
      said: told.events?.map((one) => one.token).join(""),
    };
  };
  return { run, ledger, wall };
}
