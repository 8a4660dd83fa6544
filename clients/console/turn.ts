/** One exchange on the page: what was asked, the answer as it comes, its cost, and how it failed if it did. */
import type { Message } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import {
  type ChatRequest,
  type Gateway,
  GatewayError,
  type GatewayStream,
} from "../typescript/src/browser.ts";
import { AnswerView } from "./answer.ts";
import { make } from "./dom.ts";
import { failureView } from "./failure.ts";
import type { Exchange } from "./history.ts";
import { dollars } from "./money.ts";
import { ReceiptView } from "./receipt.ts";
import type { Session } from "./session.ts";

/** What the page does for a turn. */
export interface Surroundings {
  readonly session: Session;
  /** Something was added below. */
  readonly onGrown: () => void;
  /** Says it to those who do not see the page. */
  readonly say: (text: string) => void;
  /** Asks the same again, if that can be now. */
  readonly retry: (turn: Turn) => void;
  /** Goes on with these messages, if that can be now. */
  readonly ask: (asked: readonly Message[]) => void;
}

/** Nobody could tell what these had cost; all others without a receipt never reached a provider. */
const COST_UNTOLD = new Set(["cancelled", "deadline_exceeded", "connection_lost", "gateway_unreachable"]);

export class Turn implements Exchange {
  readonly element = make("article", "turn");
  readonly asked: readonly Message[];
  answer: Message | undefined;
  private readonly around: Surroundings;
  private stream: GatewayStream | undefined;

  constructor(asked: readonly Message[], around: Surroundings) {
    this.asked = asked;
    this.around = around;
  }

  /** Asks, again if need be, and shows what comes. Resolves with the failure, if it failed. */
  async run(gateway: Gateway, request: ChatRequest): Promise<GatewayError | undefined> {
    const { session, onGrown, say } = this.around;
    const answer = new AnswerView();
    const receipt = new ReceiptView();
    this.answer = undefined;
    this.element.replaceChildren(this.question(), make("div", "reply", answer.element, receipt.element));
    receipt.running(undefined);
    onGrown();
    const startedAt = performance.now();
    const stream = gateway.stream(request);
    this.stream = stream;
    let finishReason = "";
    try {
      for await (const event of stream) {
        if (event.done) {
          finishReason = event.finishReason ?? "";
          continue;
        }
        answer.add(event);
        receipt.running(stream.costPicoUsd);
        session.running(stream.costPicoUsd);
        onGrown();
      }
      const final = await stream.receipt;
      receipt.settle(final, performance.now() - startedAt);
      session.settle(final.cost?.actualPicoUsd, stream.provenance);
      this.answer = answer.draft.message();
      if (finishReason === "tool_calls") answer.askForResults(this.around.ask);
      say(`Answered. Cost ${costText(final.cost?.actualPicoUsd)}.`);
      return undefined;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.fail(error, answer, receipt, performance.now() - startedAt);
      return error;
    } finally {
      answer.end(finishReason);
      session.rest();
      onGrown();
    }
  }

  /** Another turn follows, and what could still be done here no longer can. */
  close(): void {
    for (const action of this.element.querySelectorAll("button")) action.remove();
    for (const field of this.element.querySelectorAll("textarea")) field.readOnly = true;
  }

  /** Ends the call, and the provider's work with it. */
  stop(): void {
    this.stream?.abort();
  }

  private question(): HTMLElement {
    const texts = this.asked.map(({ content, parts }) => {
      const results = parts.map(({ part }) => (part.case === "toolResult" ? part.value.content : ""));
      return make("p", "", content || results.join("\n"));
    });
    const isTool = this.asked[0]?.role === "tool";
    return make("div", isTool ? "asked results" : "asked", ...texts);
  }

  private fail(error: GatewayError, answer: AnswerView, receipt: ReceiptView, elapsedMs: number): void {
    const { session, say, retry } = this.around;
    const { costPicoUsd, provenance, requestId } = error;
    const mayHaveCost = error.receipt || costPicoUsd !== undefined || COST_UNTOLD.has(error.kind);
    if (mayHaveCost) session.settle(costPicoUsd, provenance);
    if (error.receipt) receipt.settle(error.receipt, elapsedMs);
    else if (mayHaveCost) receipt.end(costPicoUsd, requestId);
    else receipt.element.remove();
    if (error.kind === "cancelled") {
      // What was said until then is part of the conversation.
      this.answer = answer.draft.calls.size > 0 ? undefined : answer.draft.message();
      answer.element.append(make("p", "note", "You stopped it here."));
      say(`Stopped. Spent by then: ${costText(costPicoUsd)}.`);
      return;
    }
    answer.element.append(failureView(error, () => retry(this)));
  }
}

function costText(cost: bigint | undefined): string {
  return cost === undefined ? "not known" : dollars(cost);
}
