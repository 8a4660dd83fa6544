/** The slip beside an answer: what it costs while it comes, then its receipt. It adds nothing up by itself. */
import type { Attempt, Receipt } from "../typescript/src/browser.ts";
import { make, rows } from "./dom.ts";
import { count, dollars } from "./money.ts";

export class ReceiptView {
  readonly element = make("div", "slip");
  private readonly title = make("span", "title");
  private readonly tag = make("span", "tag");
  private readonly amount = make("p", "amount");
  private readonly body = make("div", "body");

  constructor() {
    this.element.role = "group";
    this.element.ariaLabel = "Cost";
    this.element.append(make("p", "head", this.title, this.tag), this.amount, this.body);
    this.body.hidden = true;
  }

  /** The cost so far, in trillionths of a dollar; absent while it is not known. */
  running(cost: bigint | undefined): void {
    this.show("running", "Running cost", "estimate", cost);
  }

  /** @param elapsedMs as the reader had to wait */
  settle(receipt: Receipt, elapsedMs: number): void {
    const { cost, provider, model, attempts, requestId, route, cached, cacheKind } = receipt;
    const tag = cached ? "cached" : cost?.provenance || "unknown";
    this.show("settled", "Cost", tag, cost?.actualPicoUsd);
    const last = attempts.at(-1);
    this.body.replaceChildren(
      make("p", "model", `${provider}/${model}`),
      rows("figures", [
        ["Tokens in", count(cost?.inputTokens ?? 0)],
        ["cached", count(cost?.cachedInputTokens ?? 0)],
        ["Tokens out", count(cost?.outputTokens ?? 0)],
        ["reasoning", count(cost?.reasoningTokens ?? 0)],
        ["First word", last?.firstEventMs === undefined ? "none" : duration(last.firstEventMs)],
        ["Latency", duration(elapsedMs)],
        ...(cached ? savedBy(cacheKind, cost?.savedPicoUsd ?? 0n) : []),
      ]),
      make(
        "details",
        "",
        make("summary", "more", attempts.length === 1 ? "1 attempt" : `${attempts.length} attempts`),
        make("ol", "attempts", ...attempts.map(attemptLine)),
        rows("fine", [
          ["Route", route?.reason || "not told"],
          ["Prices of", cost?.priceVersion || "no catalog"],
          ["Request", make("code", "", requestId)],
        ]),
      ),
    );
    this.body.hidden = false;
  }

  /** For a call that ended without a receipt. */
  end(cost: bigint | undefined, requestId: string | undefined): void {
    this.show("settled", "Spent by then", cost === undefined ? "unknown" : "estimated", cost);
    this.body.replaceChildren(
      make("p", "note", "The gateway’s log has the last word on it."),
      rows("fine", [["Request", make("code", "", requestId ?? "not sent")]]),
    );
    this.body.hidden = false;
  }

  private show(state: string, title: string, tag: string, cost: bigint | undefined): void {
    this.element.dataset.state = state;
    this.title.textContent = title;
    this.tag.textContent = tag;
    this.tag.dataset.tag = tag;
    this.amount.textContent = cost === undefined ? (state === "running" ? "…" : "not known") : dollars(cost);
  }
}

/** What the same answer cost when a provider gave it; nothing where that is not known. */
function savedBy(kind: string, saved: bigint): [string, string][] {
  return [
    ["From cache", kind],
    ["Saved", saved > 0n ? dollars(saved) : "not known"],
  ];
}

function attemptLine(attempt: Attempt): HTMLElement {
  const { provider, model, servedModel, outcome, failureKind, latencyMs, actualPicoUsd } = attempt;
  return make(
    "li",
    "",
    make("strong", "", failureKind ? `${outcome}: ${failureKind}` : outcome),
    ` ${provider}/${servedModel || model}, ${duration(latencyMs)}, `,
    actualPicoUsd === undefined ? "cost not known" : dollars(actualPicoUsd),
  );
}

function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
