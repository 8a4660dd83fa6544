/**
 * Regular expressions of the operator's, matched in time that grows with the text alone: callers choose the text, and
 * must not choose how long the gateway is busy with it.
 */
import { RE2JS, RE2Set } from "re2js";
import { messageOf } from "../core/message.ts";

/** @returns what is wrong with it; undefined when it can be used */
export function patternFault(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * @param patterns without fault
 * @returns whether a text has a match of one of them
 */
export function matcherOf(patterns: readonly string[]): (text: string) => boolean {
  if (patterns.length === 0) return () => false;
  const set = new RE2Set();
  for (const pattern of patterns) set.add(pattern);
  set.compile();
  return (text) => set.match(text).length > 0;
}
