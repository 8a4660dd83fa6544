/**
 * One port for HTTP/1.1 and HTTP/2: by the preface in cleartext, by ALPN with
 * TLS. It knows connections; what is asked on them is the handler's.
 */
import { createServer, type Server as Http1Server, type RequestListener } from "node:http";
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2Server,
  type Http2Session,
} from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import type { NodeHandler } from "./node.ts";

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  /** PEM texts; undefined serves cleartext. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly handler: NodeHandler;
}

export interface Listener {
  readonly host: string;
  /** The port in use, also when the system chose it. */
  readonly port: number;
  /**
   * Stops accepting, lets the calls under way finish, and cuts off what is left
   * after `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** A connection that has not said by then which protocol it speaks is closed. */
const PREFACE_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 32 * 1024;
/** Longer than balancers keep a connection (60 s is usual), so that none sends a call into one that is closing. */
const KEEP_ALIVE_MS = 75_000;

export async function listen(options: ListenerOptions): Promise<Listener> {
  const sessions = new Set<Http2Session>();
  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  const server = options.tls
    ? secure(options, options.tls, sessions)
    : cleartext(options, sessions, undecided);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    host: options.host,
    port,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      for (const socket of undecided) socket.destroy();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      // Kept connections without a call close by themselves only when told again.
      const sweep = setInterval(() => closeIdle(server), 50);
      closeIdle(server);
      await closed;
      clearTimeout(cut);
      clearInterval(sweep);
    },
  };
}

function closeIdle(server: Server): void {
  if ("closeIdleConnections" in server) (server as Http1Server).closeIdleConnections();
}

function secure(
  { handler }: ListenerOptions,
  tls: { cert: string; key: string },
  sessions: Set<Http2Session>,
): Server {
  const server = createSecureServer(
    { ...tls, allowHTTP1: true, settings: SETTINGS, handshakeTimeout: PREFACE_TIMEOUT_MS },
    handler,
  );
  track(server, sessions);
  return server;
}

const SETTINGS = { maxHeaderListSize: MAX_HEADER_BYTES };

/**
 * The HTTP/1.1 server listens, since it watches over its connections from then
 * on; its own connection handler waits behind the look at the preface.
 */
function cleartext(
  { handler }: ListenerOptions,
  sessions: Set<Http2Session>,
  undecided: Set<Socket>,
): Server {
  const http1 = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, noDelay: true, keepAliveTimeout: KEEP_ALIVE_MS },
    handler as RequestListener,
  );
  const http2 = createHttp2Server({ settings: SETTINGS }, handler);
  track(http2, sessions);
  const [accept] = http1.listeners("connection") as [(this: Http1Server, socket: Socket) => void];
  http1.removeListener("connection", accept);
  http1.on("connection", (socket: Socket) => {
    undecided.add(socket);
    socket.once("close", () => undecided.delete(socket));
    peek(socket, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) http2.emit("connection", socket);
      else accept.call(http1, socket);
    });
  });
  return http1;
}

function track(
  server: Http2Server | ReturnType<typeof createSecureServer>,
  sessions: Set<Http2Session>,
): void {
  server.on("session", (session: Http2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
}

/** Reads until the bytes differ from the preface or all of it is there, and puts them back. */
function peek(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const give = () => socket.destroy();
  const look = () => {
    const chunk: Buffer | null = socket.read();
    if (!chunk) return;
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const alike = seen.compare(PREFACE, 0, length, 0, length) === 0;
    if (alike && length < PREFACE.length) return;
    socket.removeListener("readable", look);
    socket.removeListener("error", give);
    socket.removeListener("end", give);
    socket.setTimeout(0);
    socket.removeListener("timeout", give);
    socket.unshift(seen);
    decide(alike);
  };
  socket.setTimeout(PREFACE_TIMEOUT_MS);
  socket.on("timeout", give);
  socket.on("error", give);
  socket.on("end", give);
  socket.on("readable", look);
}
