/** What was spent and single requests, from outside: in figures that are those of the replies, page by page. */
import { createHash } from "node:crypto";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { type GatewayUnderTest, startBoth } from "../support/gateway.ts";

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const KEYS = [
  { name: "team", sha256: sha256("caller") },
  { name: "operator", sha256: sha256("operator"), scopes: ["admin"] },
];
const FAILING = "[[emulate: status=400]] Hello";

async function ask(url: string, path: string, body?: object, key = "operator") {
  const reply = await fetch(`${url}/v1/gateway${path}`, {
    method: body ? "POST" : "GET",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: reply.status, json: JSON.parse(await reply.text()) };
}

describe("usage", () => {
  let both: GatewayUnderTest;
  let url: string;
  const costs: Record<string, bigint> = {};
  let requestId = "";

  const chat = async (model: string, team: string, content = "Hello") => {
    const metadata: Record<string, string> = team ? { team } : {};
    const { json } = await ask(
      url,
      "/chat",
      { model, metadata, messages: [{ role: "user", content }] },
      "caller",
    );
    costs[model] = (costs[model] ?? 0n) + BigInt(json.cost?.actual_pico_usd ?? 0);
    requestId = json.request_id ?? requestId;
  };

  beforeAll(async () => {
    both = await startBoth({ auth: { keys: KEYS } });
    url = both.url;
    for (const team of ["search", "search", "mail", ""]) await chat("openai/gpt-4o", team);
    await chat("openai/gpt-4o-mini", "search");
    await chat("openai/gpt-4o", "mail", FAILING);
  });
  afterAll(() => both[Symbol.asyncDispose]());

  test("is what the replies said, by model and tag", async () => {
    const { status, json } = await ask(url, "/usage?group_by=model&group_by=tag:team");
    expect(status).toBe(200);
    const told = json.rows.map(
      ({ group, requests, errors, attempts, cost_pico_usd }: Record<string, never>) => [
        group,
        requests,
        errors,
        attempts,
        cost_pico_usd,
      ],
    );
    const one = String((costs["openai/gpt-4o"] ?? 0n) / 4n);
    expect(told).toEqual([
      [{ model: "gpt-4o", "tag:team": "search" }, "2", "0", "2", String(2n * BigInt(one))],
      [{ model: "gpt-4o", "tag:team": "" }, "1", "0", "1", one],
      [{ model: "gpt-4o", "tag:team": "mail" }, "2", "1", "2", one],
      [{ model: "gpt-4o-mini", "tag:team": "search" }, "1", "0", "1", String(costs["openai/gpt-4o-mini"])],
    ]);
    const all = Object.values(costs).reduce((sum, cost) => sum + cost, 0n);
    expect(all).toBeGreaterThan(0n);
    expect(json.total).toMatchObject({
      group: {},
      cost_pico_usd: String(all),
      cost_usd: Number(all) / 1e12,
      requests: "6",
      errors: "1",
      cached_requests: "0",
      attempts: "6",
      ok: "5",
      failed: "1",
      unpriced: "0",
      unpriced_share: 0,
      estimated_share: 0,
    });
    expect(Number(json.total.input_tokens)).toBeGreaterThan(0);
    expect(json.total.latency_p50_ms).toBeGreaterThan(0);
    expect(json.total.latency_p99_ms).toBeGreaterThanOrEqual(json.total.latency_p50_ms);
    expect(Date.parse(json.until) % 3_600_000).toBe(0);
    expect(Date.parse(json.until) - Date.parse(json.since)).toBeGreaterThanOrEqual(7 * 86_400_000);
  });

  test("is told of what was asked for only", async () => {
    const requests = async (query: string) => (await ask(url, `/usage?${query}`)).json.total?.requests;
    expect(await requests("model=gpt-4o-mini")).toBe("1");
    expect(await requests("tags=team=mail")).toBe("2");
    expect(await requests("tags=team=")).toBe("1");
    expect(await requests("key=team&provider=openai&route=explicit&operation=chat&tenant=internal")).toBe(
      "6",
    );
    expect(await requests("key=operator")).toBe("0");
    expect(await requests("until=2020-01-01T00:00:00Z")).toBe("0");
    expect(await requests("since=2020-01-01T00:00:00Z")).toBe("6");
    expect(await requests("since=2020-01-01T00:00:00Z&until=9999-12-31T23:59:59Z")).toBe("6");
  });

  test("comes in the order and on the pages that are asked for", async () => {
    const query = "group_by=tag:team&order_by=group&page_size=2";
    const first = (await ask(url, `/usage?${query}`)).json;
    expect(first.rows.map(({ group }: { group: object }) => group)).toEqual([
      { "tag:team": "" },
      { "tag:team": "mail" },
    ]);
    const second = (await ask(url, `/usage?${query}&page_token=${first.next_page_token}`)).json;
    expect(second.rows.map(({ group }: { group: object }) => group)).toEqual([{ "tag:team": "search" }]);
    expect(second).toMatchObject({ next_page_token: "", total: first.total, since: first.since });
    const other = await ask(url, `/usage?group_by=model&page_token=${first.next_page_token}`);
    expect(other).toMatchObject({ status: 400, json: { message: expect.stringMatching(/^page_token: /) } });
    const byErrors = (await ask(url, "/usage?group_by=tag:team&order_by=errors")).json;
    expect(byErrors.rows[0].group).toEqual({ "tag:team": "mail" });
    const days = (await ask(url, "/usage?group_by=day&group_by=hour")).json;
    expect(days.rows[0].group.hour).toMatch(/^\d{4}-\d\d-\d\dT\d\d:00:00Z$/);
  });

  test.each([
    ["group_by=colour", "group_by"],
    ["group_by=tag:", "group_by"],
    ["group_by=model&group_by=model", "group_by"],
    ["tags=team", "tags"],
    ["tags=team=a&tags=team=b", "tags"],
    ["order_by=beauty", "order_by"],
    ["page_token=nonsense", "page_token"],
    ["since=2020-01-02T00:00:00Z&until=2020-01-01T00:00:00Z", "since"],
    ["since=7d", "since"],
  ])("refuses %s by its field", async (query, field) => {
    const { status, json } = await ask(url, `/usage?${query}`);
    expect(status).toBe(400);
    expect(JSON.stringify(json)).toContain(field);
  });

  test("lists requests, the latest first, and tells one with its attempts and without its words", async () => {
    const page = (await ask(url, "/requests?page_size=4")).json;
    expect(page.requests).toHaveLength(4);
    expect(page.requests[0]).toMatchObject({
      outcome: "failed",
      model: "gpt-4o",
      tags: { team: "mail" },
      key: "team",
    });
    const rest = (await ask(url, `/requests?page_size=4&page_token=${page.next_page_token}`)).json;
    expect(rest.requests).toHaveLength(2);
    expect(rest.next_page_token).toBe("");
    const failed = (await ask(url, "/requests?outcome=failed")).json;
    expect(failed.requests.map(({ failure_kind }: Record<string, string>) => failure_kind)).toEqual([
      "provider_bad_request",
    ]);

    const { json } = await ask(url, `/requests/${requestId}`);
    const cost = String(costs["openai/gpt-4o-mini"]);
    expect(json.request).toMatchObject({
      request_id: requestId,
      outcome: "ok",
      route: "explicit",
      cost_pico_usd: cost,
    });
    expect(json.attempts).toMatchObject([
      {
        state: "settled",
        attempt: { number: 1, model: "gpt-4o-mini", trigger: "first", actual_pico_usd: cost },
      },
    ]);
    expect((await ask(url, `/requests/${json.request.call_id}`)).json).toEqual(json);
    expect(JSON.stringify([json, page, rest])).not.toContain("Hello");
    expect(await ask(url, "/requests/none")).toMatchObject({ status: 404, json: { code: "not_found" } });
  });

  test("is for operators only, and the same over gRPC", async () => {
    for (const path of ["/usage", "/requests", `/requests/${requestId}`])
      expect((await ask(url, path, undefined, "caller")).status).toBe(403);
    const admin = createClient(AdminService, createGrpcTransport({ baseUrl: url }));
    const headers = { authorization: "Bearer operator" };
    const { total } = await admin.getUsage({ groupBy: ["model"] }, { headers });
    expect(total?.requests).toBe(6n);
    const { requests } = await admin.listRequests({ model: "gpt-4o-mini" }, { headers });
    const { request } = await admin.getRequest({ id: requests[0]?.callId ?? "" }, { headers });
    expect(request?.requestId).toBe(requestId);
  });
});
