/** Something that is kept for each target, for as many as are in use: those not seen for longest are forgotten. */
import { LRUMap } from "mnemonist";
import type { Target } from "../core/call.ts";
import { nameOf } from "../core/target.ts";

/** Callers can name models without end. */
const MAX_TARGETS = 2_000;

export class Targets<T> {
  private readonly make: (target: Target) => T;
  private readonly known = new LRUMap<string, T>(MAX_TARGETS);

  constructor(make: (target: Target) => T) {
    this.make = make;
  }

  of(target: Target): T {
    const key = nameOf(target);
    const known = this.known.get(key);
    if (known) return known;
    const made = this.make(target);
    this.known.set(key, made);
    return made;
  }
}
