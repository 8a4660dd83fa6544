/** The models to choose from, by provider, with their prices. */
import type { Model, ProviderStatus } from "../typescript/src/browser.ts";
import { find, make, rows } from "./dom.ts";
import { count, perMillion } from "./money.ts";

export class Models {
  private readonly select = find("model", HTMLSelectElement);
  private readonly prices = find("prices", HTMLElement);
  private models: ReadonlyMap<string, Model> = new Map();
  private isChosen = false;

  constructor() {
    this.select.addEventListener("change", () => {
      this.isChosen = true;
      this.describe();
    });
  }

  /** Empty when the gateway shall choose. */
  get chosen(): string {
    return this.select.value;
  }

  /** Those that are not known to answer no chat. Keeps what was chosen, where it is still there. */
  show(all: readonly Model[]): void {
    const models = all.filter(({ capabilities }) => capabilities?.chat !== false);
    const before = this.chosen;
    this.models = new Map(models.map((model) => [model.id, model]));
    const groups = Map.groupBy(models, ({ provider }) => provider);
    const [byGateway] = this.select.options;
    this.select.replaceChildren(
      ...(byGateway ? [byGateway] : []),
      ...[...groups].map(([provider, own]) => {
        const group = make("optgroup", "", ...own.map(option));
        group.label = provider;
        return group;
      }),
    );
    this.select.value = this.models.has(before) ? before : "";
    this.describe();
  }

  /** Chooses for a reader who did not: what can be called, with a price to see. */
  prefer(providers: readonly ProviderStatus[]): void {
    if (this.isChosen) return;
    this.select.value = firstChoice(this.models, providers);
    this.describe();
  }

  private describe(): void {
    const model = this.models.get(this.chosen);
    this.prices.replaceChildren(...(model ? describe(model) : ["Its price is told with the answer."]));
  }
}

/** A provider's default model, of the first that can be called; a mock only when there is no other. */
function firstChoice(models: ReadonlyMap<string, Model>, providers: readonly ProviderStatus[]): string {
  const usable = providers.filter(({ status }) => status === "available" || status === "degraded");
  const sorted = [...usable].sort((a, b) => Number(a.kind === "mock") - Number(b.kind === "mock"));
  const ids = sorted.map(({ name, defaultModel }) => `${name}/${defaultModel}`);
  return ids.find((id) => models.has(id)) ?? "";
}

function option({ id, model, inputPer1kTokens: input, outputPer1kTokens: output }: Model): HTMLOptionElement {
  const prices =
    input === undefined || output === undefined ? "no price" : `${perMillion(input)} / ${perMillion(output)}`;
  const element = make("option", "", `${model} · ${prices}`);
  element.value = id;
  return element;
}

function describe(model: Model): HTMLElement[] {
  const { inputPer1kTokens, outputPer1kTokens, cachedInputPer1kTokens } = model;
  const prices = [
    ["In", inputPer1kTokens],
    ["In, cached", cachedInputPer1kTokens],
    ["Out", outputPer1kTokens],
  ] as const;
  const known = prices.flatMap(([name, usd]) =>
    usd === undefined ? [] : [[name, perMillion(usd)] as const],
  );
  const price =
    known.length > 0
      ? [rows("prices", known), make("p", "", `For a million tokens, at ${model.provider}`)]
      : [make("p", "", "Its price is not known.")];
  const { contextWindowTokens: context, maxOutputTokens: longest } = model;
  const sizes = [
    ...(context === undefined ? [] : [`Context of ${count(context)} tokens`]),
    ...(longest === undefined ? [] : [`Answers of up to ${count(longest)}`]),
  ];
  return [...price, ...sizes.map((size) => make("p", "", size))];
}
