/** Holds what the callers got, what the log tells and what the provider metered against each other, stream by stream. */
import type { Receipt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { LEAST_UNDER_WAY } from "../../src/cost/answer.ts";
import type { ModelPrice } from "../../src/cost/catalog.ts";
import type { MeterRecord } from "../../src/emulator/meter.ts";
import { numberOf, type Plan, type Stream } from "./crowd.ts";
import type { LogEvent } from "./gateway.ts";

export interface Books {
  readonly streams: readonly Stream[];
  /** Of the gateway, those that tell of a call. */
  readonly log: readonly LogEvent[];
  readonly meter: readonly Readonly<MeterRecord>[];
  readonly price: ModelPrice;
  /** The answer, word by word, as far as anybody can have read it. */
  readonly words: readonly string[];
}

/** What a gateway that is late by ten seconds may have left unread: a thousand come at once, on a machine with other work. */
const UNREAD = 4_000;

const LEFT = { outcome: "abandoned", failure_kind: "cancelled", provenance: "estimated" };

const ENDS: Readonly<Record<Plan["kind"], Readonly<Record<string, unknown>>>> = {
  stays: { outcome: "ok", failure_kind: undefined, provenance: "measured" },
  "leaves before a word": LEFT,
  "leaves midway": LEFT,
  "reads no more": LEFT,
  "loses its connection": LEFT,
  "runs out of time": { outcome: "failed", failure_kind: "deadline_exceeded", provenance: "estimated" },
};

/** Every difference, in words. */
export function audit(books: Books): string[] {
  const log = Map.groupBy(books.log, ({ request_id }) => request_id);
  const meter = Map.groupBy(books.meter, numberOf);
  const differences: string[] = [];
  for (const stream of books.streams) {
    const differ = (what: string) =>
      differences.push(`${stream.requestId}, which ${stream.plan.kind}: ${what}`);
    const [told, ...toldAgain] = log.get(stream.requestId) ?? [];
    const [served, ...servedAgain] = meter.get(stream.number) ?? [];
    if (!told || !served) differ(`${told ? "" : "not "}in the log, ${served ? "" : "not "}in the meter`);
    else {
      if (toldAgain.length + servedAgain.length > 0) differ("told or served more than once");
      new Account(books, stream, told, served, differ).check();
    }
  }
  const known = new Set(books.streams.map(({ requestId }) => requestId));
  for (const id of log.keys())
    if (!known.has(String(id))) differences.push(`${id} is in the log, and nobody's`);
  if (books.meter.length !== books.streams.length)
    differences.push(`the provider served ${books.meter.length}`);
  return differences;
}

/** One stream. */
class Account {
  private readonly books: Books;
  private readonly stream: Stream;
  private readonly told: LogEvent;
  private readonly served: Readonly<MeterRecord>;
  private readonly differ: (what: string) => void;

  constructor(
    books: Books,
    stream: Stream,
    told: LogEvent,
    served: Readonly<MeterRecord>,
    differ: (what: string) => void,
  ) {
    this.books = books;
    this.stream = stream;
    this.told = told;
    this.served = served;
    this.differ = differ;
  }

  check(): void {
    const { told, stream } = this;
    for (const [field, value] of Object.entries({ ...ENDS[stream.plan.kind], attempts: 1 }))
      this.same(field, told[field], value);
    const [input, output] = [Number(told.input_tokens), Number(told.output_tokens)];
    const { inputPicoPerToken, outputPicoPerToken } = this.books.price;
    this.same(
      "cost",
      told.cost_pico_usd,
      `${BigInt(input) * inputPicoPerToken + BigInt(output) * outputPicoPerToken}`,
    );
    const receipts = stream.events.flatMap((event) => event.receipt ?? event.error?.receipt ?? []);
    if (stream.plan.kind === "stays") this.checkWhole(stream.plan.words, receipts);
    else this.checkPart(output, receipts);
    for (const receipt of receipts) this.checkReceipt(receipt);
  }

  /** Read to its end: to the token what the provider metered. */
  private checkWhole(words: number, receipts: readonly Receipt[]): void {
    const { told, served, stream } = this;
    this.same("error", stream.error, undefined);
    this.same("receipts", receipts.length, 1);
    this.same("meter's outcome", served.outcome, "served");
    this.same("input tokens", told.input_tokens, served.inputTokens);
    this.same("output tokens", told.output_tokens, served.outputTokens);
    this.same("text", this.read().join(""), this.books.words.slice(0, words).join(""));
  }

  /**
   * Given up: at least what the provider wrote, which only it knows, and at most what it may have written from what
   * came of it, at the rate at which that came; a word is one token or two.
   */
  private checkPart(output: number, receipts: readonly Receipt[]): void {
    const { told, served, stream } = this;
    const [got, written] = [this.read().length, served.outputTokens];
    this.same("meter's outcome", served.outcome, "aborted");
    if (receipts.length > (stream.plan.kind === "runs out of time" ? 1 : 0)) this.differ("got a receipt");
    if (Number(told.input_tokens) < served.inputTokens)
      this.differ(`${told.input_tokens} input tokens, and the provider metered ${served.inputTokens}`);
    if (output < written || output > Math.max(2 * written + LEAST_UNDER_WAY, 6 * written) + UNREAD)
      this.differ(`${output} output tokens, of ${written} words written and ${got} that came`);
  }

  private checkReceipt({ cost, attempts }: Receipt): void {
    this.same("receipt's attempts", attempts.length, 1);
    this.same("receipt's input tokens", cost?.inputTokens, this.told.input_tokens);
    this.same("receipt's output tokens", cost?.outputTokens, this.told.output_tokens);
    this.same("receipt's cost", String(cost?.actualPicoUsd), this.told.cost_pico_usd);
    this.same("receipt's provenance", cost?.provenance, this.told.provenance);
  }

  private read(): string[] {
    return this.stream.events.flatMap(({ token }) => token ?? []);
  }

  private same(what: string, is: unknown, shouldBe: unknown): void {
    if (is !== shouldBe) this.differ(`${what} is ${is}, and should be ${shouldBe}`);
  }
}
