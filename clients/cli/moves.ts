/** Whom `--map` puts in whose place. */
import { InvalidArgumentError } from "commander";

export interface Move {
  readonly from: string;
  readonly to: string;
}

/** For an option that is given again and again: all that was given. */
export function move(text: string, before: readonly Move[] = []): Move[] {
  const [, from = "", to = ""] = /^(all|[^/=]+\/[^=]+)=([^/=]+\/[^=]+)$/.exec(text) ?? [];
  if (from && to) return [...before, { from, to }];
  throw new InvalidArgumentError(
    "It must be who was asked and who is priced instead, such as openai/gpt-4o=openai/gpt-4o-mini or all=mistral/mistral-small-latest.",
  );
}
