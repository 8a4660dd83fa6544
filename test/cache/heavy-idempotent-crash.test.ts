/** A gateway that is killed while a call under a key is under way: once it is back, the call is not made again. */
import { expect, onTestFinished, test } from "vitest";
import { startEmulator } from "../../src/emulator/server.ts";
import { LastingGateway } from "../support/home.ts";
import { http1 } from "../support/http.ts";
import { hasPostgres, startPostgres } from "../support/postgres.ts";

/** Processes start slowly where others keep the machine busy. */
const LONGEST_MS = 60_000;

test("on SQLite", { timeout: LONGEST_MS }, () => crash({}));

test("on PostgreSQL", { timeout: LONGEST_MS }, async () => {
  if (!hasPostgres("idempotency keys of a gateway that is killed")) return;
  const postgres = await startPostgres();
  onTestFinished(() => postgres.stop());
  await crash({ DATABASE_URL: await postgres.createDatabase() });
});

async function crash(env: Readonly<Record<string, string>>): Promise<void> {
  const emulator = await startEmulator();
  onTestFinished(() => emulator.close());
  await using gateway = await LastingGateway.start(emulator.url, env);
  const ask = async (key: string, content: string, path = "chat") => {
    const messages = [{ role: "user", content }];
    const body = JSON.stringify({ model: "openai/gpt-4o", messages });
    const headers = {
      "content-type": "application/json",
      "idempotency-key": key,
      "x-request-id": `first-${key}`,
    };
    const reply = await http1(`${gateway.url}/v1/gateway/${path}`, body, { headers });
    return { status: reply.status, text: await reply.text() };
  };
  const answered = await ask("answered", "Hello");
  expect(answered.status).toBe(200);
  const silent = ask("silent", "[[emulate: hang=1]] Hello").catch(() => "gone");
  const speaking = ask("speaking", "[[emulate: interval_ms=50 tokens=500]] Hello", "stream").catch(
    () => "gone",
  );
  await expect.poll(() => emulator.meter.requests).toHaveLength(3);
  const streamed = () => emulator.meter.requests.find(({ stream }) => stream);
  await expect.poll(() => streamed()?.bytesWritten).toBeGreaterThan(0);
  await gateway.kill();
  expect([await silent, await speaking]).toEqual(["gone", "gone"]);
  await gateway.startAgain();

  const { response } = JSON.parse(answered.text);
  const replayed = await ask("answered", "Hello");
  expect(JSON.parse(replayed.text)).toMatchObject({ response, cache_kind: "idempotent" });
  for (const [key, content] of [
    ["silent", "[[emulate: hang=1]] Hello"],
    ["speaking", "[[emulate: interval_ms=50 tokens=500]] Hello"],
  ] as const) {
    const { status, text } = await ask(key, content);
    expect(status).toBe(409);
    expect(JSON.parse(text)).toMatchObject({ details: [{ debug: { reason: "outcome_unknown" } }] });
    expect(text).toContain(`first-${key}`);
  }
  expect((await ask("silent", "Something else")).text).toContain("idempotency_conflict");
  expect(emulator.meter.requests).toHaveLength(3);
}
