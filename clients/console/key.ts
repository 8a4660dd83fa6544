/** The API key: asked for when the gateway wants one, kept for this tab alone, never part of an address. */
import { find } from "./dom.ts";

const STORED = "llmgateway.key";

export class Key {
  private readonly dialog = find("key-dialog", HTMLDialogElement);
  private readonly field = find("key", HTMLInputElement);
  private readonly reason = find("key-reason", HTMLElement);
  private readonly note = find("key-note", HTMLElement);
  private readonly onChange: () => void;
  /** For browsers that are told to store nothing. */
  private value = stored() ?? "";

  /** @param onChange called when there is another key, or none any more */
  constructor(onChange: () => void) {
    this.onChange = onChange;
    find("key-open", HTMLButtonElement).addEventListener("click", () => {
      this.ask(this.value ? "Empty the field to use none." : "Only a gateway with keys needs one.");
    });
    find("key-cancel", HTMLButtonElement).addEventListener("click", () => this.dialog.close());
    find("key-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.keep(this.field.value.trim());
      this.dialog.close();
      this.onChange();
    });
    this.tell();
  }

  get current(): string {
    return this.value;
  }

  /** Opens the dialog. @param reason why, for people */
  ask(reason: string): void {
    this.reason.textContent = reason;
    this.field.value = this.value;
    if (!this.dialog.open) this.dialog.showModal();
    this.field.select();
  }

  private keep(value: string): void {
    this.value = value;
    try {
      if (value) sessionStorage.setItem(STORED, value);
      else sessionStorage.removeItem(STORED);
    } catch {
      // It then lasts as long as the page.
    }
    this.tell();
  }

  private tell(): void {
    this.note.textContent = this.value ? "set for this tab" : "none set";
  }
}

function stored(): string | undefined {
  try {
    return sessionStorage.getItem(STORED) ?? undefined;
  } catch {
    return undefined;
  }
}
