/** The models that were called and whose price is not known. */
import type { Attempt } from "../../gen/ts/llmgateway/v1/receipt_pb.ts";
import { redact } from "../core/redact.ts";

/** Callers can make up names without end. */
const MAX_MODELS = 100;

export class Unpriced {
  private readonly names = new Set<string>();

  /** @returns the model's name when the attempt is the first to show that it has no price, and may have cost something */
  settled({ provider, model, priceVersion, outcome }: Attempt): string | undefined {
    if (priceVersion !== "" || outcome !== "ok") return undefined;
    const name = redact(`${provider}/${model}`);
    if (this.names.has(name) || this.names.size === MAX_MODELS) return undefined;
    this.names.add(name);
    return name;
  }

  /** As `provider/model`, in the order of the alphabet. */
  get models(): string[] {
    return [...this.names].sort();
  }
}
