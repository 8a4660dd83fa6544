/**
 * Stands around each attempt: gives it a row, bounds it by the call's ceiling,
 * prices it as it goes and settles it, whatever became of it.
 */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Attempt, Usage } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import type { AttemptCall, Layer, RoutedCall, Target } from "../core/call.ts";
import type { Clock } from "../core/clock.ts";
import { Failure, toFailure } from "../core/failure.ts";
import { type PicoUsd, sum, times, toUsd, ZERO } from "../core/money.ts";
import { type Batch, isContent } from "../core/reply.ts";
import { estimateTextTokens } from "../core/tokens.ts";
import { usage } from "../core/usage.ts";
import { type ModelPrice, ratesAt } from "../cost/catalog.ts";
import { affordableOutputTokens } from "../cost/ceiling.ts";
import { type Demand, demandOf } from "../cost/demand.ts";
import { priced } from "../cost/price.ts";
import type { CountTokens } from "../cost/tokenizer.ts";

/** What an answer is expected to have when the caller sets no limit. */
const EXPECTED_OUTPUT_TOKENS = 256;
/** The most that a token count on the wire can say. */
const MAX_INT32 = 2 ** 31 - 1;

export interface Pricing {
  readonly version: string;
  /** Undefined when the price is not known, which is never the same as 0. */
  find(target: Target): ModelPrice | undefined;
  /** Undefined when the model's tokens cannot be counted, but only estimated by length. */
  tokenizerOf?(model: ModelPrice): CountTokens | undefined;
}

/** @param onSettled told of each attempt once it has ended */
export function meter(
  pricing: Pricing,
  clock: Clock,
  onSettled: (attempt: Attempt) => void = () => {},
): Layer<RoutedCall, AttemptCall> {
  return (next) => async (call) => {
    const metered = new Metered(call, pricing, clock, onSettled);
    try {
      const { attempt, maxTokens, modelMaxTokens } = metered;
      const reply = await next({ ...call, attempt, maxTokens, modelMaxTokens });
      return { ...reply, events: metered.watch(reply.events) };
    } catch (error) {
      metered.settle(toFailure(error));
      throw error;
    }
  };
}

/** One attempt while it runs. */
class Metered {
  readonly attempt: Attempt;
  /** Undefined when the call's ceiling does not lower what the answer may have. */
  readonly maxTokens: number | undefined;
  private readonly call: RoutedCall;
  private readonly clock: Clock;
  private readonly onSettled: (attempt: Attempt) => void;
  private readonly model: ModelPrice | undefined;
  private readonly countTokens: CountTokens | undefined;
  private demand: Demand;
  /** What was said, where it can be counted. */
  private readonly said: string[] = [];
  private readonly before: PicoUsd | undefined;
  private readonly startedAtMs: number;
  private outputTokens = 0;
  /** Where counting came between the end and the settlement. */
  private endedAtMs: number | undefined;

  /** @throws Failure `budget_exceeded`, before there is an attempt */
  constructor(call: RoutedCall, pricing: Pricing, clock: Clock, onSettled: (attempt: Attempt) => void) {
    this.call = call;
    this.clock = clock;
    this.onSettled = onSettled;
    this.startedAtMs = clock.now();
    this.model = pricing.find(call.target);
    this.countTokens = this.model && pricing.tokenizerOf?.(this.model);
    this.demand = demandOf(call.request);
    this.before = spent(call.tally.attempts);
    this.maxTokens = this.clamp();
    this.attempt = {
      $typeName: "llmgateway.v1.Attempt",
      number: call.tally.attempts.length + 1,
      provider: call.target.provider,
      model: call.target.model,
      outcome: "pending",
      failureKind: "",
      latencyMs: 0,
      priceVersion: this.model ? pricing.version : "",
      servedModel: "",
      lineItems: [],
    };
    if (this.attempt.number === 1) {
      call.tally.estimated = this.expected();
      call.tally.priceVersion = this.attempt.priceVersion;
    }
    call.tally.attempts.push(this.attempt);
  }

  async *watch(events: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    try {
      for await (const batch of events) {
        for (const event of batch) {
          if (event.done) await this.recount();
          this.take(event);
        }
        yield batch;
      }
    } catch (error) {
      this.settle(toFailure(error));
      throw error;
    } finally {
      if (this.open) this.settle(new Failure("cancelled", "the reply was not read to its end"));
    }
  }

  /** The first outcome stands. */
  settle(failure?: Failure): void {
    const { attempt } = this;
    if (!this.open) return;
    attempt.outcome = failure?.outcome ?? "ok";
    attempt.failureKind = failure?.kind ?? "";
    attempt.latencyMs = (this.endedAtMs ?? this.clock.now()) - this.startedAtMs;
    // What was said is paid for, whatever ended it.
    const silent = attempt.firstEventMs === undefined;
    const free = !attempt.usage && silent && failure && !failure.maybePaid;
    attempt.usage = free ? usage("measured") : this.completed(attempt.usage, failure);
    const cost = free ? ZERO : this.model && priced(this.model, attempt.usage)?.total;
    if (cost !== undefined) {
      attempt.actualPicoUsd = cost;
      attempt.actualUsd = toUsd(cost);
    }
    this.onSettled(attempt);
  }

  get modelMaxTokens(): number | undefined {
    return this.model?.maxOutputTokens;
  }

  private get open(): boolean {
    return this.attempt.outcome === "pending";
  }

  private take(event: StreamResponse): void {
    if (event.done) this.settle();
    else this.count(event);
    if (event.finishReason === "length" && this.maxTokens !== undefined)
      event.finishReason = "budget_exceeded";
    this.stamp(event);
  }

  private count(event: StreamResponse): void {
    if (!isContent(event)) return;
    this.attempt.firstEventMs ??= this.clock.now() - this.startedAtMs;
    const text = textOf(event);
    this.outputTokens += estimateTextTokens(text);
    if (this.countTokens && !this.attempt.usage) this.said.push(text);
  }

  /**
   * By the model's tokenizer, where a whole answer came and the provider counted nothing: in place of what was
   * estimated by length. An answer that broke off keeps that estimate, which errs to the dear side: its provider
   * wrote on, and charges for more than came.
   */
  private async recount(): Promise<void> {
    if (!this.open || !this.countTokens || this.attempt.usage) return;
    this.endedAtMs ??= this.clock.now();
    const texts: string[] = [];
    const besideTexts = demandOf(this.call.request, (text) => {
      texts.push(text);
      return 0;
    });
    try {
      const inputTokens = besideTexts.inputTokens + (await this.countTokens(texts));
      this.outputTokens = await this.countTokens([this.said.join("")]);
      this.demand = { ...besideTexts, inputTokens };
    } catch {
      // The answer is whole and paid for: the estimate by length will do.
    }
  }

  /** The running total of the call, on the event that brought it there. */
  private stamp(event: StreamResponse): void {
    if (!this.model || this.before === undefined) return;
    const own = this.attempt.actualPicoUsd ?? this.running();
    const total = (this.before + own) as PicoUsd;
    event.costPicoUsd = total;
    if (event.done) event.totalCostUsd = toUsd(total);
    else event.costUsd = toUsd(total);
  }

  private running(): bigint {
    const { model } = this;
    const { inputTokens } = this.demand;
    if (!model) return ZERO;
    const { inputPicoPerToken, outputPicoPerToken } = ratesAt(model, inputTokens);
    return times(inputPicoPerToken, inputTokens) + times(outputPicoPerToken, this.outputTokens);
  }

  private expected(): PicoUsd | undefined {
    const fields = { inputTokens: this.demand.inputTokens, outputTokens: this.expectedOutputTokens() };
    return this.model && priced(this.model, usage("estimated", fields))?.total;
  }

  private expectedOutputTokens(): number {
    const { maxTokens = EXPECTED_OUTPUT_TOKENS, answers } = this.demand;
    const each = Math.min(maxTokens, this.maxTokens ?? maxTokens, this.model?.maxOutputTokens ?? maxTokens);
    return Math.min(each * answers, MAX_INT32);
  }

  /** What the provider counted before an answer was complete counts the answer's beginning at most. */
  private completed(reported: Usage | undefined, failure: Failure | undefined): Usage {
    if (reported?.provenance === "measured") return reported;
    const estimate = this.estimate(failure);
    if (!reported) return estimate;
    return usage("estimated", {
      ...reported,
      outputTokens: Math.max(reported.outputTokens, estimate.outputTokens),
    });
  }

  /** A stream shows what was written; a whole answer that got lost may have been written all the same. */
  private estimate(failure: Failure | undefined): Usage {
    const lost = failure !== undefined && !this.call.streaming;
    const outputTokens = lost ? this.expectedOutputTokens() : this.outputTokens;
    return usage("estimated", { inputTokens: this.demand.inputTokens, outputTokens });
  }

  private clamp(): number | undefined {
    const { maxCost } = this.call;
    if (maxCost === undefined) return undefined;
    const { model } = this;
    const { inputTokens, answers, maxTokens } = this.demand;
    if (!model)
      throw tooDear(`${this.target} has no known price, so max_cost_usd cannot be kept; leave it out`);
    const money = (maxCost - (this.before ?? ZERO)) as PicoUsd;
    const affordable = affordableOutputTokens(model, money, inputTokens, answers);
    if (affordable < 1) {
      const rates = ratesAt(model, inputTokens);
      const least = toUsd(
        sum(times(rates.inputPicoPerToken, inputTokens), times(rates.outputPicoPerToken, answers)),
      );
      throw tooDear(`max_cost_usd affords no reply from ${this.target}: the least is about $${least}`);
    }
    const wanted = maxTokens ?? model.maxOutputTokens ?? model.contextWindowTokens;
    return affordable >= (wanted ?? Number.POSITIVE_INFINITY) ? undefined : affordable;
  }

  private get target(): string {
    return `${this.call.target.provider}/${this.call.target.model}`;
  }
}

function textOf({ token, reasoning, toolCall, refusal }: StreamResponse): string {
  const text = token ?? refusal ?? reasoning?.text ?? toolCall?.arguments ?? toolCall?.input ?? "";
  return toolCall?.name ? toolCall.name + text : text;
}

function tooDear(description: string): Failure {
  const violations = [{ field: "max_cost_usd", description }];
  return new Failure("budget_exceeded", description, { violations });
}

/** Undefined when an attempt's cost is not known. */
function spent(attempts: readonly Attempt[]): PicoUsd | undefined {
  let total: PicoUsd | undefined = ZERO;
  for (const { actualPicoUsd } of attempts) {
    if (actualPicoUsd === undefined) return undefined;
    total = sum(total, actualPicoUsd as PicoUsd);
  }
  return total;
}
