/**
 * What every client of the matrix does, and what must come of it. The provider is emulated, so that the same question
 * costs the same to the pico-dollar whoever asks it.
 */
import type { JsonObject } from "@bufbuild/protobuf";
import { expect } from "vitest";
import type { LogEvent } from "../../support/gateway.ts";

export const SCENARIOS = ["chat", "tool", "stream", "error", "deadline", "abort"] as const;
export type Scenario = (typeof SCENARIOS)[number];

/** How long the caller waits in `deadline`. */
export const DEADLINE_MS = 1_000;

const ask = (content: string) => ({ model: "openai/gpt-4o", messages: [{ role: "user", content }] });

/** The requests, as JSON. `stream` and `abort` ask for a stream, the others for a whole answer. */
export const REQUESTS = {
  chat: ask("Hello"),
  tool: {
    ...ask("Call get_weather for Paris"),
    tools: [
      {
        name: "get_weather",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    ],
    tool_choice: "required",
  },
  stream: ask("Hello"),
  error: ask("[[emulate: status=429 retry_after=2]] Hello"),
  deadline: ask("[[emulate: delay_ms=10000]] Hello"),
  abort: ask("[[emulate: tokens=1000 interval_ms=100]] Hello"),
} satisfies Readonly<Record<Scenario, JsonObject>>;

/** What a client was told, in its own words where it has any. */
export interface Told {
  /** By which the gateway's log knows the call. */
  readonly requestId: string;
  readonly text?: string;
  readonly tool?: { readonly name: string; readonly arguments: string } | undefined;
  /** The cost that the client saw: of the receipt, or the last running one. */
  readonly costPicoUsd?: string | undefined;
  readonly kind?: string | undefined;
  readonly code?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** A client of the matrix. */
export interface MatrixClient {
  readonly name: string;
  /** Undefined when it can run here; otherwise what is missing. */
  missing(): string | undefined;
  /** Before the gateway starts. */
  prepare?(): Promise<void>;
  run(scenario: Scenario, url: string): Promise<Told>;
  close?(): Promise<void>;
  /** What else this client alone can do, by name. */
  readonly extras?: Readonly<Record<string, (url: string) => Promise<void>>>;
}

const HELLO =
  'This is the answer to "Hello". No model was asked; every word of it was known before. With the same seed, the same question is always answered with these words.';
const HELLO_PICO_USD = "320000000";

export const CHECKS: Readonly<Record<Scenario, (told: Told, logged: LogEvent) => void>> = {
  chat(told, logged) {
    expect(told).toMatchObject({ text: HELLO, costPicoUsd: HELLO_PICO_USD });
    expect(logged).toMatchObject({ outcome: "ok", provenance: "measured" });
    expectSameCost(told, logged);
  },
  tool(told, logged) {
    expect(told.tool?.name).toBe("get_weather");
    expect(JSON.parse(told.tool?.arguments ?? "")).toEqual({ city: expect.any(String) });
    expect(logged).toMatchObject({ outcome: "ok", provenance: "measured" });
    expectSameCost(told, logged);
  },
  stream(told, logged) {
    expect(told).toMatchObject({ text: HELLO, costPicoUsd: HELLO_PICO_USD });
    expect(logged).toMatchObject({ method: "Stream", outcome: "ok", provenance: "measured" });
    expectSameCost(told, logged);
  },
  error(told, logged) {
    expect(told).toMatchObject({
      kind: "provider_rate_limited",
      code: "resource_exhausted",
      retryAfterMs: 2000,
      costPicoUsd: "0",
    });
    expect(logged).toMatchObject({ outcome: "failed", failure_kind: "provider_rate_limited" });
    expectSameCost(told, logged);
  },
  deadline(told, logged) {
    expect(told.code).toBe("deadline_exceeded");
    // A client that keeps the time itself may be the first to notice, and leaves.
    expect(logged.failure_kind).toMatch(/^(deadline_exceeded|cancelled)$/);
    expect(logged.provenance).toBe("estimated");
    expect(Number(logged.cost_usd)).toBeGreaterThan(0);
    // Who gives up by itself was told nothing.
    if (told.costPicoUsd !== undefined) expectSameCost(told, logged);
  },
  abort(told, logged) {
    expect(told.text).toMatch(/^This/);
    expect(Number(told.costPicoUsd)).toBeGreaterThan(0);
    expect(logged).toMatchObject({ method: "Stream", outcome: "abandoned", provenance: "estimated" });
    // What came behind the words that the client saw is paid for, too.
    expect(Number(logged.cost_pico_usd)).toBeGreaterThanOrEqual(Number(told.costPicoUsd));
  },
};

function expectSameCost(told: Told, logged: LogEvent): void {
  expect(told.costPicoUsd).toBe(String(logged.cost_pico_usd));
}
