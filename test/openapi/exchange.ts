/** What a running gateway answers, held against what the OpenAPI document says of it: status, headers, body. */
import { expect } from "vitest";
import { FAILURES } from "../../src/core/failure.ts";
import { DOCUMENT, describedReply, objections } from "../support/openapi.ts";
import { readEvents } from "../support/sse.ts";

const ID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
const JSON_TYPE = { "content-type": "application/json" };

export interface Exchange {
  readonly verb?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks, and holds the answer against the document. */
export async function exchange(url: string, path: string, { verb = "POST", body, headers }: Exchange) {
  const reply = await fetch(url + path, {
    method: verb,
    headers: { ...(body === undefined ? {} : JSON_TYPE), ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return check(reply, verb, documented(path.split("?")[0] ?? ""));
}

/** As the document writes a path that names something. */
function documented(path: string): string {
  const form = path.replace(ID, "{}");
  return Object.keys(DOCUMENT.paths).find((known) => known.replace(/\{\w+\}/, "{}") === form) ?? path;
}

export async function check(reply: Response, verb: string, path: string) {
  const described = describedReply(verb, path, reply.status);
  expect.assert(described, `${verb} ${path} has no ${reply.status}`);
  for (const name of Object.keys(DOCUMENT.components.headers)) {
    // Streams say more of how they may be kept.
    if (!reply.headers.has(name) || name === "cache-control") continue;
    expect(described.response.headers, `${name} in ${verb} ${path} ${reply.status}`).toHaveProperty(name);
    const value = reply.headers.get(name) ?? "";
    const typed = /^\d+$/.test(value) ? Number(value) : value;
    expect(objections(["components", "headers", name, "schema"], typed), name).toEqual([]);
  }
  const type = reply.headers.get("content-type")?.split(";")[0] ?? "";
  expect(Object.keys(described.response.content ?? {})).toContain(type);
  if (type === "text/event-stream")
    return {
      status: reply.status,
      events: await eventsOf(reply, EVENTS[path.slice(path.lastIndexOf("/"))] ?? "StreamResponse"),
    };
  const text = await reply.text();
  const json = type === "application/json" ? JSON.parse(text) : text;
  expect(objections(described.schemaOf(type), json), `${verb} ${path} ${text}`).toEqual([]);
  return { status: reply.status, json, description: described.response.description };
}

/** Of the streams that are no answers. */
const EVENTS: Readonly<Record<string, string>> = {
  "/watch": "JobEvent",
  "/warm": "WarmCacheResponse",
  "/compare": "CompareEvent",
};

async function eventsOf(reply: Response, schema: string) {
  const events: Record<string, unknown>[] = [];
  const pieces = (reply.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream());
  for await (const { event, data } of readEvents(pieces)) {
    if (data === undefined) continue;
    const json = JSON.parse(data);
    expect(objections(["components", "schemas", schema], json), data).toEqual([]);
    expect(event).toBe(json.error ? "error" : "message");
    events.push(json);
  }
  return events;
}

export async function expectFailure(
  url: string,
  kind: string,
  path: string,
  request: Exchange,
): Promise<void> {
  const { status, json, description } = await exchange(url, path, request);
  expect(json.details[0]).toMatchObject({ type: "google.rpc.ErrorInfo", debug: { reason: kind } });
  expect(description).toContain(`- \`${kind}\``);
  if (path.startsWith("/v1/")) expect(status).toBe(FAILURES[kind as keyof typeof FAILURES].http);
}
