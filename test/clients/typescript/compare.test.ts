/** A comparison by the client: what it gives, throws and ends. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { failureOf, WAYS } from "./ways.ts";

let both: GatewayUnderTest;
beforeAll(async () => {
  both = await startBoth();
});
afterAll(() => both[Symbol.asyncDispose]());

const asking = (content: string) => ({
  request: { messages: [{ role: "user", content }] },
  models: ["openai/gpt-4o", "claude"],
});

describe.each(WAYS)("$name", ({ name, connect }) => {
  const open = () => connect({ baseUrl: both.url });

  test("gives the words of each model, their receipts and the totals", async () => {
    const texts = ["", ""];
    const events = await Array.fromAsync(open().compare(asking("Hello")));
    for (const { index, event } of events) if (index !== undefined) texts[index] += event?.token ?? "";
    for (const text of texts) expect(text).toContain("This is the answer");
    const receipts = events.flatMap(({ event }) => event?.receipt ?? []);
    expect(receipts.map(({ provider }) => provider).sort()).toEqual(["claude", "openai"]);
    expect(events.at(-1)).toMatchObject({ totals: { served: 2, failed: 0 } });
  });

  test("throws what is refused, and what fails for all", async () => {
    const refused = await failureOf(Array.fromAsync(open().compare({ models: ["openai", "openai"] })));
    expect(refused).toMatchObject({
      kind: "invalid_request",
      violations: [{ field: "request" }, { field: "models" }],
    });
    const failed = await failureOf(Array.fromAsync(open().compare(asking("[[emulate: status=500]] Hello"))));
    expect(failed).toMatchObject({ kind: "provider_error", receipt: { attempts: [{}, {}] } });
  });

  test("ends all of it at the gateway when the reader leaves", async () => {
    const mark = `Left by ${name}`;
    const ended = () => both.log.events.filter(({ outcome }) => outcome === "abandoned").length;
    const before = ended();
    for await (const { event } of open().compare(asking(`[[emulate: interval_ms=200 tokens=100]] ${mark}`))) {
      expect(event?.done).toBeUndefined();
      break;
    }
    await vi.waitFor(() => expect(ended()).toBe(before + 2));
  });
});
