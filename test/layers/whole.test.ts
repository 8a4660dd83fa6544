import { expect, test } from "vitest";
import type { RoutedCall } from "../../src/core/call.ts";
import { whole } from "../../src/layers/whole.ts";
import { replyOf, routedCallOf, spoken } from "../support/call.ts";

test.each([
  ["job", true, true],
  ["job", false, false],
  // Who asks for a stream himself is told elsewhere that there is none.
  ["rest", false, true],
] as const)(
  "a call of %s to a model that streams: %s, is one for a stream: %s",
  async (protocol, can, streams) => {
    let seen: RoutedCall | undefined;
    const service = whole(() => can)(async (call) => {
      seen = call;
      return replyOf(spoken(["Hello"]));
    });
    await service(routedCallOf({ streaming: true, context: { protocol } }));
    expect(seen?.streaming).toBe(streams);
  },
);
