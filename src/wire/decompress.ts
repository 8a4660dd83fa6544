/**
 * A reply whose bytes were compressed on the way, as the bytes that they were before. It
 * knows the codings of HTTP, and nothing of what the bytes mean.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from "node:zlib";
import { Failure } from "../core/failure.ts";
import { readText, type WireReply } from "./transport.ts";

/**
 * The reply itself when it came as it is. What is inflated is handed over as it
 * comes, before more is taken in: whoever counts it can give up in time,
 * however much there would be.
 *
 * @throws Failure `malformed_reply` for a coding that nobody knows
 */
export function decompressed(reply: WireReply): WireReply {
  const coding = reply.headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (coding === "" || coding === "identity") return reply;
  const open = DECODERS.get(coding);
  if (open) return new Decompressed(reply, open);
  reply.cancel();
  throw new Failure("malformed_reply", "the provider's reply cannot be read", {
    operator: `content-encoding ${coding}, which was not asked for`,
  });
}

/** Servers flush after each event, and each must be told when it comes. A truncated end stays an error. */
const FLUSH = { flush: constants.Z_SYNC_FLUSH };

/** Opened by the first bytes. */
type Open = (first: Buffer) => Transform;

const DECODERS: ReadonlyMap<string, Open> = new Map<string, Open>([
  ["gzip", () => createGunzip(FLUSH)],
  ["x-gzip", () => createGunzip(FLUSH)],
  // HTTP means zlib's format by it, and some servers send the bare one, which cannot begin with these four bits.
  ["deflate", (first) => ((first[0] ?? 0) % 16 === 8 ? createInflate(FLUSH) : createInflateRaw(FLUSH))],
  ["br", () => createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH })],
]);

class Decompressed implements WireReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  private readonly source: WireReply;
  private readonly open: Open;
  private decoder: Transform | undefined;
  private started = false;
  private ended = false;
  private error: unknown;
  private wake: (() => void) | undefined;

  constructor(source: WireReply, open: Open) {
    this.source = source;
    this.open = open;
    this.status = source.status;
    this.headers = source.headers;
  }

  async read(): Promise<readonly Buffer[] | undefined> {
    if (!this.started) {
      this.started = true;
      void this.feed();
    }
    for (;;) {
      const chunk: Buffer | null = this.decoder?.read() ?? null;
      if (chunk) return [chunk];
      if (this.error !== undefined) {
        this.cancel();
        throw this.error;
      }
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  text(maxBytes: number): Promise<string> {
    return readText(this, maxBytes);
  }

  cancel(): void {
    this.source.cancel();
    this.decoder?.destroy();
  }

  private async feed(): Promise<void> {
    try {
      for (let chunks = await this.source.read(); chunks; chunks = await this.source.read()) {
        for (const chunk of chunks) {
          this.decoder ??= this.opened(chunk);
          await written(this.decoder, chunk);
        }
      }
      if (this.decoder) this.decoder.end();
      else this.finish();
    } catch (error) {
      this.fail(error);
    }
  }

  private opened(first: Buffer): Transform {
    const decoder = this.open(first);
    decoder.on("readable", () => this.wakeReader());
    decoder.on("end", () => this.finish());
    decoder.on("error", (error) => this.fail(failureOf(error)));
    return decoder;
  }

  private finish(): void {
    this.ended = true;
    this.wakeReader();
  }

  /** What was inflated before is given first. */
  private fail(error: unknown): void {
    this.error ??= error;
    this.source.cancel();
    this.wakeReader();
  }

  private wakeReader(): void {
    const wake = this.wake;
    this.wake = undefined;
    wake?.();
  }
}

/** Resolves once all of it is inflated and there is room for more, or nobody wants it any longer. */
function written(decoder: Transform, chunk: Buffer): Promise<void> {
  return new Promise((resolve) => {
    decoder.once("close", resolve);
    decoder.write(chunk, () => {
      decoder.off("close", resolve);
      resolve();
    });
  });
}

/** Input that ends too early, and input that is no such coding. */
function failureOf(error: Error): Failure {
  const details = { operator: `decompressing: ${error.message}`, cause: error };
  return error.message === "unexpected end of file"
    ? new Failure("cut", "the provider's reply broke off", details)
    : new Failure("malformed_reply", "the provider's reply cannot be read", details);
}
