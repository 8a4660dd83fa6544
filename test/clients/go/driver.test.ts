/** Each way in which a Go program can call the gateway: the same answers, costs and failures, and the log agrees. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GatewayUnderTest, startBoth } from "../../support/gateway.ts";
import { command, DRIVER, go, hasGo, WITHIN_MS } from "./go.ts";

describe.runIf(hasGo())("a Go program", () => {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-go-"));
  const driver = join(folder, "driver");
  let both: GatewayUnderTest;
  beforeAll(async () => {
    both = await startBoth();
    await go(DRIVER, ["build", "-o", driver, "."]);
  }, WITHIN_MS);
  afterAll(async () => {
    await both[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test.each(["connect", "grpc", "grpc-web", "grpc-go"])("calls by %s", async (client) => {
    const printed = await command(driver, folder, ["--url", both.url, "--client", client]);
    const lines = printed
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ ok }) => !ok)).toEqual([]);
    expect(lines.map(({ scenario }) => scenario)).toEqual([
      "chat",
      "tool",
      "stream",
      "error",
      "deadline",
      "abort",
    ]);
    const [chat, tool, stream, error, deadline, abort] = lines;
    expect(stream.text).toBe(chat.text);
    expect([chat, stream].map((line) => line.cost_pico_usd)).toEqual(["320000000", "320000000"]);
    expect(JSON.parse(tool.tool_arguments)).toEqual({ city: expect.any(String) });
    expect(error).toMatchObject({ kind: "provider_rate_limited", retry_after_ms: 2000, receipt: true });
    const logged = await Promise.all(lines.map(({ request_id }) => both.log.about(request_id)));
    const protocol = client === "grpc-go" ? "grpc" : client;
    expect(logged.map((event) => event.protocol)).toEqual(lines.map(() => protocol));
    for (const [index, line] of [chat, tool, stream, error].entries()) {
      expect(String(logged[index]?.cost_pico_usd)).toBe(line.cost_pico_usd);
    }
    // The caller's clock and the gateway's are two: either may be first.
    const late = logged[lines.indexOf(deadline)];
    expect(["deadline_exceeded", "cancelled"]).toContain(late?.failure_kind);
    expect(logged[lines.indexOf(abort)]).toMatchObject({ outcome: "abandoned" });
  });
});
