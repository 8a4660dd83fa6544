/** The files of the console, as they were at the start. What is in them it does not know, nor what calls they make. */
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { Failure } from "../core/failure.ts";
import type { Send } from "./compression.ts";
import { etagOf, hasAlready } from "./etag.ts";
import type { NodeReply, NodeRequest } from "./node.ts";

export interface Assets {
  /** False for a path that is none of these. */
  handle(request: NodeRequest, path: string, reply: NodeReply): boolean;
}

export interface AssetsOptions {
  /** What `npm run build` made; it need not exist. */
  readonly folder: string;
  readonly send: Send;
  readonly refuse: (request: NodeRequest, reply: NodeReply, error: unknown) => void;
}

interface Asset {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>> & { readonly etag: string };
}

const INDEX = "index.html";
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Nothing runs, loads, or is asked but what stands here; and no text can become markup. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

export function createAssets({ folder, send, refuse }: AssetsOptions): Assets {
  const assets = readAssets(folder);
  return {
    handle(request, path, reply) {
      if (request.method !== "GET" && request.method !== "HEAD") return false;
      const asset = assets.get(path);
      if (asset) {
        // What escapes would end the process, and with it every call.
        answer(request, reply, asset, send).catch((error: unknown) => refuse(request, reply, error));
      } else if (path === "/") refuse(request, reply, notBuilt());
      else return false;
      return true;
    },
  };
}

/** By their paths. Read once, so that no request reaches the file system. */
function readAssets(folder: string): ReadonlyMap<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const name of namesIn(folder)) {
    const type = MEDIA_TYPES[extname(name)];
    if (!type) continue;
    const body = readFileSync(join(folder, name), "utf8");
    const headers = { ...HEADERS, "content-type": type, etag: etagOf(body) };
    assets.set(name === INDEX ? "/" : `/${name}`, { body, headers });
  }
  return assets;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function answer(
  request: NodeRequest,
  reply: NodeReply,
  { body, headers }: Asset,
  send: Send,
): Promise<void> {
  if (hasAlready(request, headers.etag)) {
    reply.writeHead(304, headers);
    reply.end();
    return;
  }
  await send(request, reply, 200, headers, body);
}

function notBuilt(): Failure {
  return new Failure(
    "not_found",
    "the console is not built; run `npm run build`, and start the gateway anew",
  );
}
