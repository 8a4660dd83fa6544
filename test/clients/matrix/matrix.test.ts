/** The same calls by every kind of client: the same words, the same costs, the same failures. Prints a table of them. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { WITHIN_MS } from "../go/go.ts";
import { chromium } from "./browser.ts";
import { curlConnect, curlRest } from "./curl.ts";
import { goClients } from "./go.ts";
import { grpcurl } from "./grpcurl.ts";
import { CHECKS, type MatrixClient, SCENARIOS } from "./scenarios.ts";
import { typescriptClient } from "./typescript.ts";

const CLIENTS: readonly MatrixClient[] = [
  typescriptClient("connect"),
  typescriptClient("grpc"),
  typescriptClient("grpc-web"),
  ...goClients(),
  grpcurl,
  curlRest,
  curlConnect,
  chromium(),
];

let both: GatewayUnderTest;
const held = new Map<string, string[]>();

beforeAll(async () => {
  for (const client of CLIENTS) if (client.missing() === undefined) await client.prepare?.();
  both = await startBoth();
}, WITHIN_MS);
afterAll(async () => {
  for (const client of CLIENTS) await client.close?.();
  await both[Symbol.asyncDispose]();
  console.log(table());
});

describe.each(CLIENTS)("$name", (client) => {
  const lacking = client.missing();
  if (lacking !== undefined) {
    test("is installed", () => {
      console.log(`${client.name} was not tested: ${lacking} is not installed`);
      expect(process.env.CI, `CI must have ${lacking}`).not.toBe("true");
    });
    return;
  }

  test.each(SCENARIOS)("%s", async (scenario) => {
    const told = await client.run(scenario, both.url);
    CHECKS[scenario](told, await both.log.about(told.requestId));
    note(client, scenario);
  });

  for (const [name, extra] of Object.entries(client.extras ?? {})) {
    test(name, async () => {
      await extra(both.url);
      note(client, name);
    });
  }
});

function note({ name }: MatrixClient, what: string): void {
  held.set(name, [...(held.get(name) ?? []), what]);
}

function table(): string {
  const width = Math.max(...CLIENTS.map(({ name }) => name.length));
  const rows = CLIENTS.map(({ name }) => {
    const passed = held.get(name) ?? [];
    const cells = SCENARIOS.map((scenario) => (passed.includes(scenario) ? "yes" : "–").padEnd(8));
    const more = passed.filter((what) => !SCENARIOS.some((scenario) => scenario === what));
    return `${name.padEnd(width)}  ${cells.join("  ")}  ${more.join(", ")}`.trimEnd();
  });
  const head = `${"".padEnd(width)}  ${SCENARIOS.map((name) => name.padEnd(8)).join("  ")}  and`;
  return ["", head, ...rows, ""].join("\n");
}
