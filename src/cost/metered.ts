/** One attempt while it runs: counts and prices what comes, ends it where its money ends, and settles it once. */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Attempt, Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { RoutedCall } from "../core/call.ts";
import { type Clock, elapsedMs } from "../core/clock.ts";
import { Failure, toFailure } from "../core/failure.ts";
import { MAX_INT32 } from "../core/int32.ts";
import type { Lag } from "../core/lag.ts";
import { lesser, type PicoUsd, sum, times, toUsd, ZERO } from "../core/money.ts";
import { type Batch, event, isContent } from "../core/reply.ts";
import { usage } from "../core/usage.ts";
import { Answer, hiddenTokens, textOf, thoughtTokens } from "./answer.ts";
import type { AnswerLengths } from "./answer-lengths.ts";
import { ratesAt } from "./catalog.ts";
import { certainTier, dearestWrites } from "./ceiling.ts";
import { least } from "./forecast.ts";
import { type Plan, spentBeside } from "./plan.ts";
import { priced } from "./price.ts";

/** How much more is held ready for a stream at a time. */
const STEP_TOKENS = 256;

export interface MeteredOptions {
  readonly call: RoutedCall;
  readonly plan: Plan;
  readonly priceVersion: string;
  readonly clock: Clock;
  readonly lag: Pick<Lag, "ms">;
  /** Counts what was said where the provider counted nothing; undefined where it can only be estimated. */
  readonly recount: Recount | undefined;
  readonly lengths: Pick<AnswerLengths, "tokensOf">;
  /** Told once, when the attempt has ended and is priced, and how many bytes of words were seen of it. */
  readonly onSettled: (attempt: Attempt, bytes: number, failure: Failure | undefined) => void;
}

/** Each undefined where it cannot be counted. */
export type Recount = (
  said: string,
) => Promise<{ inputTokens: number | undefined; outputTokens: number | undefined }>;

export class Metered {
  readonly attempt: Attempt;
  private readonly options: MeteredOptions;
  private readonly answer: Answer;
  private readonly startedAtMs: number;
  /** What the input costs, and a token of output, as it is estimated. */
  private readonly inputCost: PicoUsd;
  private readonly perToken: PicoUsd;
  private inputTokens: number;
  /** Of a whole answer, as its model's tokenizer counts them; undefined where it did not. */
  private countedTokens: number | undefined;
  /** Where counting came between the end and the settlement. */
  private endedAtMs: number | undefined;

  constructor(options: MeteredOptions) {
    const { call, plan, priceVersion, clock, recount } = options;
    const { model, demand } = plan;
    this.options = options;
    this.startedAtMs = clock.now();
    this.answer = new Answer(recount !== undefined, demand.answers, this.startedAtMs);
    this.inputTokens = demand.inputTokens;
    const rates = model && ratesAt(model, demand.inputTokens, certainTier(demand));
    this.inputCost = rates ? times(rates.inputPicoPerToken, demand.inputTokens) : ZERO;
    this.perToken = rates?.outputPicoPerToken ?? ZERO;
    this.attempt = {
      $typeName: "llmgateway.v1.Attempt",
      number: call.parking?.parked?.sent?.number ?? call.tally.attempts.length + 1,
      provider: call.target.provider,
      model: call.target.model,
      outcome: "pending",
      failureKind: "",
      latencyMs: 0,
      priceVersion: model ? priceVersion : "",
      servedModel: "",
      lineItems: [],
      priceAssumed: false,
      trigger: call.trigger,
    };
    // What is held ready for a stream grows, and its row is written once.
    const reserved = plan.inSteps ? plan.most : plan.purse.held;
    if (plan.purse.held !== undefined && reserved !== undefined) this.attempt.reservedPicoUsd = reserved;
    // A look-up for the cache tells nothing of what the answer will cost.
    if (call.trigger !== "semantic_cache" && call.tally.attempts.every(isLookup)) {
      call.tally.estimated = plan.quote?.expected(plan.maxTokens);
      call.tally.priceVersion = this.attempt.priceVersion;
    }
    call.tally.attempts.push(this.attempt);
    call.tally.open.set(this.attempt, plan.most);
  }

  /** Ends with `budget_exceeded` behind the event that used the money up; what is left of its batch is not said. */
  async *watch(events: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    try {
      for await (const batch of events) {
        if (batch.at(-1)?.done) await this.recount(batch);
        let said = 0;
        for (const event of batch) {
          this.take(event);
          said++;
          if (!this.limited || this.affordable() || (await this.topUp())) continue;
          yield [...batch.slice(0, said), this.cut()];
          return;
        }
        yield batch;
      }
    } catch (error) {
      this.settle(toFailure(error));
      throw error;
    } finally {
      if (this.open)
        this.settle(this.overtaken ?? new Failure("cancelled", "the reply was not read to its end"));
    }
  }

  /** The first outcome stands. What goes on without this process is left to whoever takes it up. */
  settle(failure?: Failure): void {
    if (!this.open) return;
    if (failure?.suspended) {
      this.options.plan.purse.settle(undefined);
      return;
    }
    const { attempt, answer } = this;
    // What was said is paid for, whatever ended it.
    attempt.failureKind = failure?.kind ?? "";
    const free = !attempt.usage && !answer.begun && failure !== undefined && !failure.maybePaid;
    attempt.usage = free ? usage("measured") : this.completed(failure !== undefined);
    this.end(failure, free);
  }

  private end(failure: Failure | undefined, free = false): void {
    const { attempt } = this;
    const { call, clock, plan, onSettled } = this.options;
    attempt.outcome = failure?.outcome ?? "ok";
    attempt.latencyMs = elapsedMs(this.startedAtMs, this.endedAtMs ?? clock.now());
    const cost = free
      ? NOTHING
      : plan.model && attempt.usage && priced(plan.model, attempt.usage, plan.demand.images);
    if (cost) {
      attempt.lineItems = cost.items;
      attempt.actualPicoUsd = cost.total;
      attempt.actualUsd = toUsd(cost.total);
      if (cost.isAssumed) attempt.priceAssumed = true;
    }
    plan.purse.settle(cost?.total);
    call.tally.open.delete(attempt);
    onSettled(attempt, this.answer.bytes, failure);
  }

  private get open(): boolean {
    return this.attempt.outcome === "pending";
  }

  /** Where another attempt was heard: whatever this one said besides, nobody heard it. */
  private get overtaken(): Failure | undefined {
    const { reason } = this.options.call.signal;
    return reason instanceof Failure && reason.kind === "hedge_lost" ? reason : undefined;
  }

  private take(event: StreamResponse): void {
    if (event.done) this.settle(this.overtaken);
    else if (isContent(event)) {
      const nowMs = this.options.clock.now();
      this.attempt.firstEventMs ??= elapsedMs(this.startedAtMs, nowMs);
      this.answer.add(event, nowMs);
    }
    if (event.finishReason === "length" && this.options.plan.maxTokens !== undefined)
      event.finishReason = "budget_exceeded";
    this.stamp(event);
  }

  /** Whether the answer comes piece by piece, on money that may run out before its end. */
  private get limited(): boolean {
    const { call, plan } = this.options;
    return call.streaming && this.open && plan.purse.money !== undefined;
  }

  private affordable(): boolean {
    const { purse } = this.options.plan;
    return !purse.spent(this.running()) && purse.covers(this.needed(0));
  }

  private async topUp(): Promise<boolean> {
    const { purse } = this.options.plan;
    if (purse.spent(this.running())) return false;
    return purse.topUp(this.needed(0), this.needed(STEP_TOKENS));
  }

  /** What must be held ready to go on, and for so many tokens more. */
  private needed(moreTokens: number): PicoUsd {
    const { plan, clock, lag } = this.options;
    const { quote, most } = plan;
    if (!quote || most === undefined) return ZERO;
    return lesser(quote.spent(this.answer.tokensAhead(clock.now(), lag.ms) + moreTokens), most);
  }

  /** Ends the answer here, and with it the provider's work. */
  private cut(): StreamResponse {
    this.attempt.usage = this.completed(true);
    this.end(undefined);
    const done = event({ done: true, finishReason: "budget_exceeded" });
    this.stamp(done);
    return done;
  }

  /**
   * By the model's tokenizer, where a whole answer came and the provider counted nothing: in place of what was
   * estimated by length. An answer that broke off keeps its estimate, which errs to the dear side: its provider
   * wrote on, and charges for more than came.
   *
   * @param last what was not taken yet
   */
  private async recount(last: Batch): Promise<void> {
    const { recount, clock } = this.options;
    if (!this.open || !recount || this.attempt.usage) return;
    this.endedAtMs = clock.now();
    try {
      const { inputTokens, outputTokens } = await recount(
        [...(this.answer.said ?? []), ...last.filter(isContent).map(textOf)].join(""),
      );
      this.inputTokens = inputTokens ?? this.inputTokens;
      this.countedTokens = outputTokens;
    } catch {
      // The answer is whole and paid for: the estimate by length will do.
    }
  }

  /** The running total of the call, on the event that brought it there. */
  private stamp(event: StreamResponse): void {
    const { plan, call } = this.options;
    const before = spentBeside(this.attempt, call.tally);
    if (!plan.model || before === undefined) return;
    const total = (before + (this.attempt.actualPicoUsd ?? this.running())) as PicoUsd;
    event.costPicoUsd = total;
    if (event.done) event.totalCostUsd = toUsd(total);
    else event.costUsd = toUsd(total);
  }

  private running(): PicoUsd {
    return sum(this.inputCost, times(this.perToken, this.answer.tokens));
  }

  /** What the provider counted before an answer was complete counts the answer's beginning at most. */
  private completed(broken: boolean): Usage {
    const { usage: reported } = this.attempt;
    if (reported?.provenance === "measured") return reported;
    const { demand, model } = this.options.plan;
    const inputTokens = broken ? demand.maxInputTokens : this.inputTokens;
    const written = broken ? this.mostWritten() : this.likelyWritten();
    const outputTokens = Math.min(written, this.askedTokens(), MAX_INT32);
    const writes = broken && model ? dearestWrites(model, demand, inputTokens) : {};
    const tokens = { inputTokens, ...writes, outputTokens };
    if (!reported) return usage("estimated", { ...tokens, serviceTier: certainTier(demand) });
    return usage("estimated", { ...reported, outputTokens: Math.max(reported.outputTokens, outputTokens) });
  }

  private likelyWritten(): number {
    const { lengths, plan } = this.options;
    return this.countedTokens ?? lengths.tokensOf(plan.demand.answersLike, this.answer.bytes);
  }

  /** What an answer that nobody saw whole may have had: its provider may have thought unseen, and wrote on. */
  private mostWritten(): number {
    const { call, plan, clock, lag } = this.options;
    const { answers, likelyTokens, asksThoughts } = plan.demand;
    if (answers === 0) return 0;
    const now = clock.now();
    const seen = this.answer.mostTokens(now, lag.ms);
    // What cannot be read was written all the same.
    const readable = call.streaming && this.attempt.failureKind !== "malformed_reply";
    const hidden = Math.min(likelyTokens, hiddenTokens(now - this.startedAtMs)) * answers;
    let written = readable && plan.demand.visible ? seen : Math.max(seen, hidden);
    // Who was not asked to think does so before the words and in their pauses, if at all; but of several one may
    // think while another speaks.
    if (readable && this.answer.begun && !asksThoughts && answers === 1)
      written = Math.min(written, seen + thoughtTokens(this.answer.silentUntil(now)));
    return Math.max(Math.min(written, this.heldTokens() * answers), this.answer.tokens);
  }

  /** As many as the provider was allowed, which it counts itself: by their length the same words may seem to be more. */
  private askedTokens(): number {
    const { demand, maxTokens } = this.options.plan;
    const each = least(demand.maxTokens, maxTokens);
    return each === undefined ? Number.POSITIVE_INFINITY : each * demand.answers;
  }

  /** A guess must not spend what budgets hold for others: an answer has at most what is held ready for it. */
  private heldTokens(): number {
    const { quote, purse } = this.options.plan;
    return quote && purse.held !== undefined ? quote.affords(purse.held) : Number.POSITIVE_INFINITY;
  }
}

const NOTHING = { items: [], total: ZERO, isAssumed: false };

function isLookup({ trigger }: Attempt): boolean {
  return trigger === "semantic_cache";
}
