/** What operators hear of RPCs that read the database while it is away: that it is, and to try again. */
import { renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startBoth } from "../support/gateway.ts";
import { hasPostgres, startPostgres } from "../support/postgres.ts";
import { temporaryFolder } from "../support/stores.ts";

const HOUR_MS = 3_600_000;
const since = new Date(Date.now() - 2 * HOUR_MS).toISOString();

const QUESTIONS: readonly (readonly [method: string, path: string, body?: object])[] = [
  ["GET", "/usage"],
  ["GET", "/requests"],
  ["GET", "/requests/one"],
  ["POST", "/usage/reprice", {}],
  ["GET", "/usage/adjustments"],
  ["POST", "/usage/adjustments", { since, reason: "a wrong list" }],
  ["DELETE", "/request-texts?id=one"],
];

test.runIf(hasPostgres("a database that is away"))("they can try again", async () => {
  const server = await startPostgres();
  const DATABASE_URL = await server.createDatabase();
  await using both = await startBoth({}, { env: { DATABASE_URL } });
  const ask = async ([method, path, body]: (typeof QUESTIONS)[number]) => {
    const reply = await fetch(`${both.url}/v1/gateway${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: reply.status, error: JSON.parse(await reply.text()) };
  };
  expect((await ask(["GET", "/usage"])).status).toBe(200);
  await server.stop();
  for (const question of QUESTIONS) {
    const { status, error } = await ask(question);
    expect(status, question.join(" ")).toBe(503);
    expect(error).toMatchObject({
      code: "unavailable",
      message: "the gateway's database does not answer; try again",
      details: [{ debug: { reason: "database_unavailable" } }],
    });
  }
  const told = both.log.events.filter(({ failure_kind }) => failure_kind === "database_unavailable");
  expect(told).toHaveLength(QUESTIONS.length);
  for (const event of told)
    expect(event).toMatchObject({ level: 40, operator: expect.stringContaining("ENOENT") });
});

test("they can try again where the file of the database is away", async () => {
  const data_dir = temporaryFolder();
  // What looks at each hour's spend would have opened it by now, or not.
  await using both = await startBoth({ ledger: { data_dir, anomalies: { enabled: false } } });
  const ask = () => fetch(`${both.url}/v1/gateway/usage`);
  const file = join(data_dir, "llmgateway.db");
  renameSync(file, `${file}.away`);
  const reply = await ask();
  expect(reply.status).toBe(503);
  expect(await reply.json()).toMatchObject({ details: [{ debug: { reason: "database_unavailable" } }] });
  expect(both.log.events.at(-1)).toMatchObject({
    level: 40,
    operator: expect.stringContaining("unable to open database file"),
  });
  renameSync(`${file}.away`, file);
  expect((await ask()).status).toBe(200);
});
