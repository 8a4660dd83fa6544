/** What operators change, in the log: each change by a line of its own, with who did it, and no secret. */
import { createHash } from "node:crypto";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { expect, onTestFinished, test } from "vitest";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { CHANGES } from "../../src/rpc/audit.ts";
import { startBoth } from "../support/gateway.ts";

const OPERATOR = { authorization: "Bearer operator" };
const SECRET = "sk-proj-A1b2C3d4E5f6G7h8I9j0K1l2";

test("there is a line for every RPC of AdminService that is not merely read", () => {
  const changing = AdminService.methods.filter(
    ({ idempotency }) => idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
  );
  expect([...CHANGES.keys()].map(({ name }) => name).sort()).toEqual(changing.map(({ name }) => name).sort());
});

test("a change is told with who made it and what came of it; what was read or refused is not", async () => {
  const keys = [
    { name: "operator", sha256: createHash("sha256").update("operator").digest("hex"), scopes: ["admin"] },
  ];
  const both = await startBoth({ auth: { keys }, cache: { enabled: true } });
  onTestFinished(() => both[Symbol.asyncDispose]());
  const admin = createClient(AdminService, createGrpcTransport({ baseUrl: both.url }));
  const as = { headers: { ...OPERATOR, "x-request-id": "the-change" } };

  await admin.listCircuits({}, as);
  await admin.setCircuit({ provider: "openai", mode: "open" }, as);
  await expect(admin.setCircuit({ provider: "nobody", mode: "open" }, as)).rejects.toThrow("nobody");
  await admin.clearCache({ tag: `key=${SECRET}` }, as);
  for await (const _ of admin.warmCache({ mostFrequent: 3 }, as)) {
    // It is read to its end.
  }
  const reason = `the list was wrong, see ${SECRET}`;
  await admin.bookAdjustments({ reason, since: { seconds: 0n } }, as);
  await admin.deleteRequestTexts({ all: true }, as);

  const told = both.log.events.filter(({ principal, outcome }) => principal === "operator" && !outcome);
  const by = { request_id: "the-change", tenant: "internal", peer: "127.0.0.1", protocol: "grpc" };
  expect(told).toMatchObject([
    { ...by, msg: "circuit set", method: "SetCircuit", provider: "openai", mode: "open" },
    { ...by, msg: "cache cleared", method: "ClearCache", tag: "key=[redacted]", cleared: 0 },
    { ...by, msg: "cache warming", method: "WarmCache", requests: 0, most_frequent: 3 },
    {
      ...by,
      msg: "adjustments booked",
      adjustment_pico_usd: "0",
      reason: "the list was wrong, see [redacted]",
    },
    { ...by, msg: "texts deleted", all: true, deleted: 0 },
  ]);
  expect(told[0]).not.toHaveProperty("model");
  expect(told[0]?.trace_id).toMatch(/^[\da-f]{32}$/);
});
