/**
 * One port for HTTP/1.1 and HTTP/2: by the preface in cleartext, by ALPN with
 * TLS. It knows connections; what is asked on them is the handler's.
 */
import { createServer, type Server as Http1Server, type RequestListener } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type Http2Session } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Clock, whenSilent } from "../core/clock.ts";
import type { NodeHandler } from "./node.ts";

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  /** PEM texts; undefined serves cleartext. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly http2: Http2Limits;
  readonly handler: NodeHandler;
  readonly clock: Clock;
}

export interface Http2Limits {
  readonly maxConcurrentStreams: number;
  /** How often a connection is asked whether it is still there. */
  readonly pingIntervalMs: number;
  /** How long it may take to answer, before it is cut. */
  readonly pingTimeoutMs: number;
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
/**
 * Connections that may wait to be accepted, so that a crowd that calls at once is let
 * in. Beyond it a caller must knock again a second later, and one who took itself to be
 * let in is reset. The system may allow fewer (`net.core.somaxconn` of Linux, which is
 * as many by default).
 */
const BACKLOG = 4096;
/** A connection that has begun, and has not said by then which protocol it speaks, is closed. */
const PREFACE_TIMEOUT_MS = 10_000;
/** Longer, because the handshakes of a crowd are worked off one after another. */
const HANDSHAKE_TIMEOUT_MS = 60_000;
const MAX_HEADER_BYTES = 32 * 1024;
/**
 * Longer than balancers keep a connection (60 s is usual), so that none sends a call
 * into one that is closing; nor into one that it opened beforehand and has not used.
 */
const KEEP_ALIVE_MS = 75_000;
/**
 * How often a caller may give up all the calls that its connection bears: so many
 * times at once, and once a second. Node's own bound is 1,000 at once and 33 a
 * second, whatever a connection bears. Behind it the whole connection is cut, and
 * everybody's calls on it; proxies, and clients with one channel, would meet it.
 */
const RESETS_AT_ONCE = 10;
/** How long a caller may take to end a connection that is ended on this side. */
const LINGER_MS = 1_000;
/** TCP's own probes, by which a peer that is gone is found where HTTP has no ping. */
const PROBE_AFTER_MS = 30_000;

export async function listen(options: ListenerOptions): Promise<Listener> {
  const sessions = new Set<Http2Session>();
  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  const { maxConcurrentStreams } = options.http2;
  const settings = { maxHeaderListSize: MAX_HEADER_BYTES, maxConcurrentStreams };
  const http2 = createHttp2Server(
    {
      settings,
      streamResetBurst: RESETS_AT_ONCE * maxConcurrentStreams,
      streamResetRate: maxConcurrentStreams,
    },
    options.handler,
  );
  http2.on("session", (session: Http2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    cutWhenDead(session, options);
  });
  const server = options.tls ? secure(options, options.tls, http2) : cleartext(options, http2, undecided);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: options.port, host: options.host, backlog: BACKLOG }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    host: options.host,
    port,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of undecided) socket.destroy();
      const cut = options.clock.after(graceMs, () => {
        for (const socket of sockets) socket.destroy();
      });
      const closeIdle = () => {
        server.closeIdleConnections();
        for (const session of sessions) session.close();
      };
      closeIdle();
      // Again and again for those that become idle, or were still shaking hands.
      const sweep = setInterval(closeIdle, 50);
      await closed;
      cut.cancel();
      clearInterval(sweep);
    },
  };
}

const HTTP1 = {
  maxHeaderSize: MAX_HEADER_BYTES,
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: PROBE_AFTER_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
};

/**
 * The HTTP/1.1 server listens, since it watches over its connections from then
 * on; its own connection handler waits until the protocol is known.
 */
function cleartext(
  { handler, clock }: ListenerOptions,
  http2: Http2Server,
  undecided: Set<Socket>,
): Http1Server {
  const http1 = createServer(HTTP1, handler as RequestListener);
  const accept = takeOver(http1, "connection");
  http1.on("connection", (socket: Socket) => {
    undecided.add(socket);
    socket.once("close", () => undecided.delete(socket));
    peek(socket, clock, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) acceptHttp2(http2, socket, clock);
      else accept(socket);
    });
  });
  return http1;
}

/** As in cleartext, but the handshake says which protocol it is. */
function secure(
  { handler, clock }: ListenerOptions,
  tls: { cert: string; key: string },
  http2: Http2Server,
): Http1Server {
  const options = {
    ...HTTP1,
    ...tls,
    ALPNProtocols: ["h2", "http/1.1"],
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
  const http1 = createHttpsServer(options, handler as RequestListener);
  const accept = takeOver(http1, "secureConnection");
  http1.on("secureConnection", (socket: TLSSocket) => {
    if (socket.alpnProtocol === "h2") acceptHttp2(http2, socket, clock);
    else {
      accept(socket);
      readAsStream(socket);
    }
  });
  return http1;
}

/** Takes a server's own handler of new connections away, and gives it to whoever decides now. */
function takeOver(server: Http1Server, event: "connection" | "secureConnection"): (socket: Socket) => void {
  const [accept] = server.listeners(event) as [(this: Http1Server, socket: Socket) => void];
  server.removeListener(event, accept);
  return (socket) => accept.call(server, socket);
}

/**
 * Node's parser reads its socket by itself, and rests while the reply before is
 * still being sent. TLS then goes on to hand it what was decrypted already, which
 * it takes for an error that cuts the connection. Once somebody listens it reads
 * through the stream instead, which holds that back.
 */
function readAsStream(socket: TLSSocket): void {
  socket.on("data", () => {});
}

/** An HTTP/1.1 server lets callers close their half; over HTTP/2 whoever does has left, and ends its calls. */
function acceptHttp2(server: Http2Server, socket: Socket, clock: Clock): void {
  socket.allowHalfOpen = false;
  // A caller that left one reply unread never ends its half: it would hold up a stop to the end of its time.
  socket.once("finish", () => {
    const cut = clock.after(LINGER_MS, () => socket.destroy());
    socket.once("close", () => cut.cancel());
  });
  server.emit("connection", socket);
}

/**
 * A caller whose machine or network is gone says no goodbye, and its calls would
 * go on to be paid for: it is asked from time to time, and cut when it is silent.
 */
function cutWhenDead(session: Http2Session, { clock, http2 }: ListenerOptions): void {
  const ask = clock.after(http2.pingIntervalMs, () => {
    // It is closed only once its socket is, and asking it until then would throw.
    if (session.destroyed) return;
    const cut = whenSilent(clock, http2.pingTimeoutMs, () => session.destroy());
    // Called, too, when the session ends without an answer.
    session.ping(() => {
      cut.cancel();
      ask.refresh();
    });
  });
  session.once("close", ask.cancel);
}

/** Reads until the bytes differ from the preface or all of it is there, and puts them back. */
function peek(socket: Socket, clock: Clock, decide: (isHttp2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const give = () => socket.destroy();
  let patience = whenSilent(clock, KEEP_ALIVE_MS, give);
  const rest = () => patience.cancel();
  const look = () => {
    const chunk: Buffer | null = socket.read();
    if (!chunk) return;
    rest();
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, PREFACE.length);
    const alike = seen.compare(PREFACE, 0, length, 0, length) === 0;
    if (alike && length < PREFACE.length) {
      patience = whenSilent(clock, PREFACE_TIMEOUT_MS, give);
      return;
    }
    socket.removeListener("readable", look);
    socket.removeListener("error", give);
    socket.removeListener("end", give);
    socket.removeListener("close", rest);
    socket.unshift(seen);
    decide(alike);
  };
  socket.on("close", rest);
  socket.on("error", give);
  socket.on("end", give);
  socket.on("readable", look);
}

/** Where it can be reached. */
export function urlOf({ host, port }: Pick<Listener, "host" | "port">, tls: boolean): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  const bracketed = reachable.includes(":") ? `[${reachable}]` : reachable;
  return `${tls ? "https" : "http"}://${bracketed}:${port}`;
}
