/** Compression: what each encoding does, and whole replies in the one that the caller prefers. */
import { promisify } from "node:util";
import { brotliCompress, brotliDecompress, constants, gunzip, gzip } from "node:zlib";
import type { connectNodeAdapter } from "@connectrpc/connect-node";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import Negotiator from "negotiator";
import { Failure, invalidRequest } from "../core/failure.ts";
import type { NodeReply, NodeRequest } from "./node.ts";

/** Brotli's own default, the best of 11, takes a hundred times as long for a tenth of the size. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

const compressGzip = promisify(gzip);
const compressBrotli = promisify(brotliCompress);

/** By their names in HTTP. */
const COMPRESS: ReadonlyMap<string, (bytes: Buffer) => Promise<Buffer>> = new Map([
  ["br", (bytes) => compressBrotli(bytes, BROTLI)],
  ["gzip", (bytes) => compressGzip(bytes)],
]);
const DECOMPRESS = new Map([
  ["br", promisify(brotliDecompress)],
  ["gzip", promisify(gunzip)],
]);
const IDENTITY = "identity";

type AcceptCompression = NonNullable<Parameters<typeof connectNodeAdapter>[0]["acceptCompression"]>;

/** The same for the RPC protocols. */
export const RPC_COMPRESSIONS: AcceptCompression = [
  compressionGzip,
  {
    ...compressionBrotli,
    compress: async (bytes) => new Uint8Array(await compressBrotli(bytes, BROTLI)),
  },
];

/** Sends a whole reply. Resolves when it is handed over. */
export type Send = (
  request: NodeRequest,
  reply: NodeReply,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string,
) => Promise<void>;

/** @param minBytes compresses no smaller reply; 0 compresses none */
export function createSend(minBytes: number): Send {
  return async (request, reply, status, headers, body) => {
    const length = Buffer.byteLength(body);
    if (minBytes === 0 || length < minBytes) {
      reply.writeHead(status, { ...headers, "content-length": length });
      reply.end(body);
      return;
    }
    const all: Record<string, string> = { ...headers, vary: varyOf(reply) };
    const encoding = encodingFor(request);
    const compress = COMPRESS.get(encoding);
    if (!compress) {
      reply.writeHead(status, { ...all, "content-length": length });
      // As text it goes out in one piece with the head, which costs the system half as much as two.
      reply.end(body);
      return;
    }
    const sent = await compress(Buffer.from(body));
    reply.writeHead(status, { ...all, "content-encoding": encoding, "content-length": sent.length });
    reply.end(sent);
  };
}

/** What was set before, by CORS, would be replaced. */
function varyOf(reply: NodeReply): string {
  const before = reply.getHeader("vary");
  return before ? `${before}, accept-encoding` : "accept-encoding";
}

function encodingFor(request: NodeRequest): string {
  if (!request.headers["accept-encoding"]) return IDENTITY;
  return new Negotiator(request).encoding([...COMPRESS.keys(), IDENTITY]) ?? IDENTITY;
}

/**
 * A request's body as it was before the caller compressed it.
 *
 * @throws Failure when it is not what `content-encoding` says, or larger than `maxBytes`
 */
export async function decompressed(bytes: Buffer, encoding: string, maxBytes: number): Promise<Buffer> {
  if (encoding === "" || encoding === IDENTITY) return bytes;
  const decompress = DECOMPRESS.get(encoding);
  if (!decompress) {
    const known = [...DECOMPRESS.keys()].join(" or ");
    throw new Failure("unsupported_media_type", `send the body as it is, or with content-encoding ${known}`);
  }
  try {
    return await decompress(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new Failure("payload_too_large", `the body is larger than ${maxBytes} bytes once decompressed`);
    }
    throw invalidRequest([{ field: "", description: `the body is not valid ${encoding}` }]);
  }
}
