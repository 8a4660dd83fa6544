/** Which providers can be called, and why the others cannot. */
import type { GetStatusResponse, ProviderStatus } from "../typescript/src/browser.ts";
import { find, make } from "./dom.ts";

export class Providers {
  private readonly list = find("providers", HTMLUListElement);
  private readonly note = find("gateway-note", HTMLElement);

  show({ providers, version, status, priceVersion }: GetStatusResponse): void {
    this.list.replaceChildren(...providers.map(line));
    const draining = status === "serving" ? "" : `, ${status}`;
    this.note.textContent = `Gateway ${version}${draining}, prices of ${priceVersion}`;
  }

  /** @param reason why nothing is known, for people */
  showFailure(reason: string): void {
    this.list.replaceChildren();
    this.note.textContent = reason;
  }
}

function line({ name, status, reason }: ProviderStatus): HTMLLIElement {
  const text = make("span", "", make("strong", "", name), ` ${status}`);
  if (reason) text.append(make("span", "reason", reason));
  const element = make("li", "", text);
  element.dataset.status = status;
  return element;
}
