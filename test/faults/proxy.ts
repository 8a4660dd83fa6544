/**
 * A TCP proxy on loopback that does to connections what no HTTP server can. It knows of HTTP only where a head ends
 * and where an event does, so that it can strike at a place of a reply.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as pass } from "node:timers/promises";
import { freePort } from "../support/free-port.ts";

/** Where in a reply it strikes: an offset in the bytes of the reply, undefined while too few of them have come. */
export type Place = (reply: Buffer) => number | undefined;

/** What it does to a reply from that place on. */
export type Strike = "reset" | "corrupt" | "crawl";

export type Behaviour =
  /** As if it were not there. */
  | { readonly kind: "honest" }
  /** Takes connections and requests, and answers nothing. */
  | { readonly kind: "silent" }
  | { readonly kind: "strike"; readonly with: Strike; readonly at: Place };

/** A crawling reply comes in pieces of so many bytes, each after so long. */
const CRAWL = { bytes: 4, everyMs: 8 } as const;
/** No JSON may hold them, in its strings or between them. */
const GARBAGE = Buffer.alloc(4);

export class FaultProxy implements AsyncDisposable {
  behaviour: Behaviour = { kind: "honest" };
  readonly port: number;
  private readonly upstreamPort: number;
  private readonly server: Server;
  private readonly links = new Set<Link>();
  private flapping: Promise<void> | undefined;

  static async before(url: string): Promise<FaultProxy> {
    const server = createServer();
    server.listen(await freePort(), "127.0.0.1");
    await once(server, "listening");
    return new FaultProxy(server, Number(new URL(url).port));
  }

  private constructor(server: Server, upstreamPort: number) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    this.upstreamPort = upstreamPort;
    server.on("connection", (client) => {
      const link = new Link(client, connect(this.upstreamPort, "127.0.0.1"), () => this.behaviour);
      this.links.add(link);
      client.once("close", () => this.links.delete(link));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections are refused, and those that there are get reset. */
  async down(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, "close");
    this.server.close();
    for (const link of this.links) link.reset();
    await closed;
  }

  async up(): Promise<void> {
    if (this.server.listening) return;
    this.server.listen(this.port, "127.0.0.1");
    await once(this.server, "listening");
  }

  /** Down for so long, up for so long, until it is told to be steady. */
  flap(periodMs: number): void {
    const go = async () => {
      while (this.flapping) {
        await this.down();
        await pass(periodMs);
        await this.up();
        await pass(periodMs);
      }
    };
    this.flapping = Promise.resolve();
    this.flapping = go();
  }

  /** Resolves once it is up to stay. */
  async steady(): Promise<void> {
    const { flapping } = this;
    this.flapping = undefined;
    await flapping;
  }

  /** Both ends of every connection that there is stay open, and neither hears of the other any more. */
  loseAll(): void {
    for (const link of this.links) link.lost = true;
  }

  /** What was lost is found out to be. */
  resetLost(): void {
    for (const link of this.links) if (link.lost) link.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.steady();
    await this.down();
  }
}

/** A connection, and the one behind it. */
class Link {
  lost = false;
  private readonly client: Socket;
  private readonly upstream: Socket;
  private readonly behaviourOf: () => Behaviour;
  /** Of the exchange under way. */
  private behaviour: Behaviour = { kind: "honest" };
  private reply: Buffer = Buffer.alloc(0);
  private sent = 0;
  private struckAt: number | undefined;
  private crawling: NodeJS.Timeout | undefined;

  constructor(client: Socket, upstream: Socket, behaviourOf: () => Behaviour) {
    this.client = client;
    this.upstream = upstream;
    this.behaviourOf = behaviourOf;
    for (const socket of [client, upstream]) socket.setNoDelay(true).on("error", () => {});
    client.on("data", (bytes) => this.onRequest(bytes as Buffer));
    upstream.on("data", (bytes) => this.onReply(bytes as Buffer));
    upstream.on("end", () => this.onEnd());
    client.on("close", () => this.end());
    upstream.on("close", (broken) => {
      if (broken && !this.lost) this.reset();
    });
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.end();
  }

  private end(): void {
    clearInterval(this.crawling);
    this.upstream.destroy();
  }

  private onRequest(bytes: Buffer): void {
    // What a client says after a reply is another request: nobody here sends the next one before the reply to the last.
    if (this.reply.length > 0 || this.behaviour.kind === "honest") {
      this.behaviour = this.behaviourOf();
      this.reply = Buffer.alloc(0);
      this.sent = 0;
      this.struckAt = undefined;
    }
    if (!this.lost && this.behaviour.kind !== "silent") this.upstream.write(bytes);
  }

  private onReply(bytes: Buffer): void {
    if (this.lost) return;
    if (this.behaviour.kind !== "strike") {
      this.reply = bytes;
      this.client.write(bytes);
      return;
    }
    this.reply = Buffer.concat([this.reply, bytes]);
    this.struckAt ??= this.behaviour.at(this.reply);
    const { struckAt } = this;
    if (struckAt === undefined) this.send(this.reply.length);
    else this.strike(this.behaviour.with, struckAt);
  }

  private strike(how: Strike, at: number): void {
    if (how === "reset") {
      this.send(at);
      // The kernel has sent what came before.
      this.client.write("", () => this.reset());
    } else if (how === "corrupt") {
      if (this.reply.length < at + GARBAGE.length) return;
      if (this.sent <= at) GARBAGE.copy(this.reply, at);
      this.send(this.reply.length);
    } else {
      this.send(at);
      this.crawling ??= setInterval(() => this.crawl(), CRAWL.everyMs);
    }
  }

  private crawl(): void {
    this.send(Math.min(this.sent + CRAWL.bytes, this.reply.length));
    if (this.upstream.readableEnded && this.sent === this.reply.length) this.client.end();
  }

  private onEnd(): void {
    if (!this.lost && this.crawling === undefined) this.client.end();
  }

  /** The reply up to there. */
  private send(end: number): void {
    if (end <= this.sent) return;
    this.client.write(this.reply.subarray(this.sent, end));
    this.sent = end;
  }
}

export const BEFORE_REPLY: Place = () => 0;

export const IN_HEAD: Place = (reply) => (reply.length > 30 ? 30 : undefined);

/** After so many events of a stream; a whole answer, which has none, in its middle. */
export function afterEvents(count: number): Place {
  return (reply) => {
    const body = bodyOf(reply);
    if (body === undefined) return undefined;
    if (!reply.subarray(0, body).includes("event-stream")) return body + 30;
    let at = body;
    for (let event = 0; event < count; event++) {
      const end = reply.indexOf("\n\n", at);
      if (end === -1) return undefined;
      at = end + 2;
    }
    return at;
  };
}

/** Within the event after so many: past the line that says how long it is, and its field's name. */
export function withinEvent(count: number): Place {
  const before = afterEvents(count);
  return (reply) => {
    const at = before(reply);
    return at === undefined ? undefined : at + 40;
  };
}

function bodyOf(reply: Buffer): number | undefined {
  const end = reply.indexOf("\r\n\r\n");
  return end === -1 ? undefined : end + 4;
}
