/** What is said in calls, from outside: kept where it is switched on, without secrets, for operators alone. */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import { type Configuration, startBoth } from "../support/gateway.ts";

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const KEYS = [
  { name: "team", sha256: sha256("caller") },
  { name: "private", sha256: sha256("discreet"), capture_content: false },
  { name: "operator", sha256: sha256("operator"), scopes: ["admin"] },
];
const SECRET = "sk-proj-A1b2C3d4E5f6G7h8I9j0K1l2";
const CARD = "4111 1111 1111 1111";
const OWN_KEY = "a-key-of-the-gateways-own";
const headersOf = (key: string) => ({ authorization: `Bearer ${key}` });
const OPERATOR = headersOf("operator");

async function started(config: Configuration = {}) {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-texts-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const both = await startBoth(
    {
      auth: { keys: KEYS },
      content_capture: { enabled: true },
      ...config,
      ledger: { data_dir: folder, ...(config.ledger as object) },
    },
    // The emulator takes any key.
    { env: { MISTRAL_API_KEY: OWN_KEY } },
  );
  onTestFinished(() => both[Symbol.asyncDispose]());
  const transport = createGrpcTransport({ baseUrl: both.url });
  const send = async (path: string, body?: object, key = "caller", method = body ? "POST" : "GET") => {
    const reply = await fetch(`${both.url}/v1/gateway${path}`, {
      method,
      headers: { "content-type": "application/json", ...headersOf(key) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await reply.text();
    return { status: reply.status, id: reply.headers.get("x-request-id") ?? "", text };
  };
  const chat = (content: string, more: object = {}, key = "caller", path = "/chat") =>
    send(path, { messages: [{ role: "user", content }], ...more }, key);
  const textOf = async (id: string) => {
    const { status, text } = await send(`/requests/${id}?include_text=true`, undefined, "operator");
    expect(status).toBe(200);
    return JSON.parse(text).text;
  };
  return {
    ...both,
    send,
    chat,
    textOf,
    admin: createClient(AdminService, transport),
    caller: createClient(GatewayService, transport),
    /** In which of the database's files it is. */
    filesWith: (what: string) =>
      readdirSync(folder).filter((name) => readFileSync(join(folder, name)).includes(what)),
    logged: () => JSON.stringify(both.log.events),
  };
}

describe("what is said", () => {
  test("is written while others are under way, which are no rows that wait", async () => {
    const { url, chat, filesWith } = await started({ ledger: { max_waiting_rows: 100 } });
    const leaving = new AbortController();
    onTestFinished(() => leaving.abort());
    const body = JSON.stringify({ messages: [{ role: "user", content: "[[emulate: hang=1]] Hello" }] });
    const headers = { "content-type": "application/json", ...headersOf("caller") };
    for (let n = 0; n < 20; n++)
      fetch(`${url}/v1/gateway/chat`, { method: "POST", headers, body, signal: leaving.signal }).catch(
        () => {},
      );
    await chat("nothing that anybody else would say");
    await vi.waitFor(() => expect(filesWith("nothing that anybody")).not.toEqual([]), { timeout: 5_000 });
  });

  test("is told over REST and gRPC without its secrets, which are in no file and in no log", async () => {
    const { chat, caller, textOf, admin, filesWith, logged } = await started();
    const content = `Is ${SECRET} a key, or ${OWN_KEY}, and ${CARD} a card of ann@example.com? {"a":"ü"}`;
    const { id, text } = await chat(content);
    expect(text).toContain(SECRET);
    const kept = await textOf(id);
    const clean = 'Is [API_KEY_1] a key, or [redacted], and [CARD_1] a card of [EMAIL_1]? {"a":"ü"}';
    expect(kept).toMatchObject({
      messages: [{ role: "user", content: clean }],
      choices: [{ index: 0, message: { role: "assistant" }, finish_reason: "stop" }],
      truncated: false,
    });
    expect(kept.choices[0].message.content).toContain("[API_KEY_1] a key");

    const streamed: string[] = [];
    const parts = [
      { part: { case: "text" as const, value: `password: ${SECRET}` } },
      {
        part: {
          case: "image" as const,
          value: { source: { case: "data" as const, value: Buffer.from(SECRET) }, mediaType: "image/png" },
        },
      },
    ];
    const request = { messages: [{ role: "user", content: `My card: ${CARD}; `, parts }] };
    for await (const { token = "", receipt } of caller.stream(request, { headers: headersOf("caller") }))
      streamed.push(token, receipt?.requestId ?? "");
    const found = await admin.getRequest(
      { id: streamed.at(-1) ?? "", includeText: true },
      { headers: OPERATOR },
    );
    expect(found.request?.method).toBe("Stream");
    expect(found.text?.callId).toBe(found.request?.callId);
    const [asked] = found.text?.messages ?? [];
    expect(asked?.content).toBe("My card: [CARD_1]; ");
    expect(asked?.parts.map(({ part }) => part.value)).toEqual([
      "password: [API_KEY_1]",
      `[image: image/png, ${SECRET.length} bytes]`,
    ]);
    expect(found.text?.choices[0]?.message?.content).toContain("[CARD_1]");
    expect(filesWith("[CARD_1]")).not.toEqual([]);
    for (const secret of [SECRET, CARD, OWN_KEY, "ann@example.com"]) {
      expect(filesWith(secret), secret).toEqual([]);
      expect(logged(), secret).not.toContain(secret);
    }
  });

  test("is told only where it is asked for, to operators, and each reading is in the log", async () => {
    const { send, chat, admin, log } = await started();
    const { id } = await chat("Hello");
    expect(JSON.parse((await send(`/requests/${id}`, undefined, "operator")).text)).not.toHaveProperty(
      "text",
    );
    expect((await send(`/requests/${id}?include_text=true`)).status).toBe(403);
    const readings = () => log.events.filter(({ msg }) => msg === "text read");
    expect(readings()).toEqual([]);
    const { request } = await admin.getRequest({ id, includeText: true }, { headers: OPERATOR });
    expect(readings()).toMatchObject([
      { principal: "operator", method: "GetRequest", protocol: "grpc", text_of: request?.callId },
    ]);
    expect(readings()[0]?.request_id).not.toBe(id);
  });

  test("is of no request that is sensitive, opted out, refused, or for embeddings; nor is the answer", async () => {
    const hooks = [
      { name: "words", kind: "blocklist", words: ["falcon"], on: ["request"] },
      // Every answer of the emulator has it.
      { name: "late", kind: "blocklist", words: ["metered"], on: ["stream"] },
    ];
    const { chat, send, textOf, filesWith } = await started({
      moderation: { hooks },
      cache: { sensitive_patterns: ["bluebird"] },
    });
    const calls = [
      await chat("unheard", { sensitive: true }),
      await chat("unheard", {}, "discreet"),
      await chat("unheard falcon"),
      await chat("[[emulate: interval_ms=5]] unheard", { stream: true }),
      await chat("unheard bluebird"),
      await send("/embeddings", { model: "openai/text-embedding-3-small", input: ["unheard"] }),
    ];
    expect(calls.map(({ status }) => status)).toEqual([200, 200, 400, 200, 200, 200]);
    expect(calls[3]?.text).toContain("content_refused");
    for (const { id } of calls) expect(await textOf(id)).toBeUndefined();
    expect(filesWith("unheard")).toEqual([]);
  });

  test("is what moderation left of it, though the caller is given back what it took out", async () => {
    const hooks = [{ name: "personal", kind: "pii", restore: true }];
    const { chat, textOf, filesWith } = await started({
      moderation: { hooks },
      content_capture: { enabled: true, redact_pii: false },
    });
    for (const more of [{}, { stream: true }]) {
      const { id, text } = await chat("Greet ann@example.com", more);
      expect(text).toContain("ann@example.com");
      const { messages, choices } = await textOf(id);
      expect(messages[0].content).toBe("Greet [EMAIL_1]");
      expect(choices[0].message.content).toContain("Greet [EMAIL_1]");
    }
    expect(filesWith("ann@example.com")).toEqual([]);
  });

  test("is of cached answers, of failed calls, and of streams as far as they were read", async () => {
    const { chat, textOf, url } = await started({ cache: { enabled: true } });
    const [first, again] = [await chat("Hello"), await chat("Hello")];
    expect(again.text).toContain('"cached":true');
    const [one, other] = [await textOf(first.id), await textOf(again.id)];
    expect(other.choices).toEqual(one.choices);
    const failed = await chat("[[emulate: status=400]] Hello");
    expect(await textOf(failed.id)).toMatchObject({ messages: [{ role: "user" }], choices: [] });

    const leaving = new AbortController();
    const reply = await fetch(`${url}/v1/gateway/stream`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headersOf("caller") },
      body: JSON.stringify({ messages: [{ role: "user", content: "[[emulate: interval_ms=20]] Go on" }] }),
      signal: leaving.signal,
    });
    const reader = reply.body?.getReader();
    for (let read = ""; !read.includes("answer"); )
      read += Buffer.from((await reader?.read())?.value ?? []).toString();
    leaving.abort();
    const id = reply.headers.get("x-request-id") ?? "";
    const kept = await vi.waitFor(async () => {
      const text = await textOf(id);
      expect(text).toBeDefined();
      return text;
    });
    expect(kept.choices[0]).toMatchObject({ finish_reason: "" });
    const said = kept.choices[0].message.content;
    expect(said).toMatch(/^This is /);
    expect(said).not.toContain("every word of it was known before");
  });

  test("is of jobs too, as it was asked of the model", async () => {
    const { send, textOf } = await started({
      templates: { greet: { prompt: "Greet {{who}}", variables: { who: {} } } },
    });
    const submitted = await send("/jobs", { template: "greet", variables: { who: "Ann" } });
    const { job_id } = JSON.parse(submitted.text);
    await vi.waitFor(async () => {
      const { status } = JSON.parse((await send(`/jobs/${job_id}`)).text);
      expect(status).toBe("completed");
    });
    expect(await textOf(job_id)).toMatchObject({ messages: [{ content: "Greet Ann" }], choices: [{}] });
  });

  test("is cut where it is too long, at whole characters, the latest kept", async () => {
    const { send, textOf } = await started({
      content_capture: { enabled: true, max_bytes_per_request: 1024 },
    });
    const messages = ["first ", "ü ", "last "].map((word) => ({ role: "user", content: word.repeat(150) }));
    const { id } = await send("/chat", { messages: [...messages, { role: "user", content: "Well?" }] });
    const kept = await textOf(id);
    expect(kept.truncated).toBe(true);
    expect(kept.messages.at(-1)).toMatchObject({ content: "Well?" });
    expect(kept.messages.length).toBeLessThan(4);
    expect(Buffer.byteLength(JSON.stringify(kept.messages))).toBeLessThan(1024);
    expect(kept.choices[0].message.content).not.toBe("");
  });

  test("is deleted by id or all at once, and gone from the files", async () => {
    const { chat, send, textOf, filesWith, admin, log } = await started();
    const [one, other] = [await chat("remarkable one"), await chat("remarkable other")];
    expect(await textOf(one.id)).toBeDefined();
    expect((await send("/request-texts", undefined, "operator", "DELETE")).text).toContain(
      "all: must be true",
    );
    expect((await send("/request-texts?all=true", undefined, "caller", "DELETE")).status).toBe(403);
    const deleted = await send(`/request-texts?id=${one.id}`, undefined, "operator", "DELETE");
    expect(JSON.parse(deleted.text)).toEqual({ deleted: "1" });
    expect(await textOf(one.id)).toBeUndefined();
    expect(filesWith("remarkable one")).toEqual([]);
    expect(await textOf(other.id)).toBeDefined();
    expect((await admin.deleteRequestTexts({ all: true }, { headers: OPERATOR })).deleted).toBe(1n);
    expect(filesWith("remarkable")).toEqual([]);
    expect(log.events.filter(({ msg }) => msg === "texts deleted")).toHaveLength(2);
  });

  test("is told where nothing is booked, too", async () => {
    const { chat, send } = await started({ prices: { tracking_enabled: false } });
    const { id } = await chat("Hello");
    expect((await send(`/requests/${id}`, undefined, "operator")).status).toBe(404);
    const { text } = await send(`/requests/${id}?include_text=true`, undefined, "operator");
    expect(JSON.parse(text)).toMatchObject({ attempts: [], text: { messages: [{ content: "Hello" }] } });
  });

  test("is nowhere where nothing switches it on", async () => {
    const { chat, textOf, filesWith } = await started({ content_capture: {} });
    const { id } = await chat("unheard");
    expect(await textOf(id)).toBeUndefined();
    expect(filesWith("unheard")).toEqual([]);
  });
});
