/**
 * Connections to hosts that others name, which lead only where that is allowed: a name is resolved once, all its
 * addresses are judged, and the socket goes to one of these. It does not know what is sent, nor who allows what.
 */
import { promises as dns, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction, type Socket } from "node:net";
import { buildConnector } from "undici";
import type { AddressKind, Networks } from "./address.ts";

/** All addresses of a name. Rejects, or finds none, when there is no such name. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

export interface DestinationOptions {
  readonly networks: Networks;
  readonly resolve: Resolve;
  /** For the name, the connection and TLS each. */
  readonly timeoutMs: number;
}

/** The host is at an address that is not public, and that no network allows. */
export class ForbiddenAddress extends Error {
  override readonly name = "ForbiddenAddress";
  readonly kind: AddressKind;

  constructor(kind: AddressKind) {
    super(`a connection to an address that is ${kind} is not allowed`);
    this.kind = kind;
  }
}

/** As the operating system does it, with its file of hosts. */
export const systemResolve: Resolve = async (hostname) =>
  (await dns.lookup(hostname, { all: true })).map(({ address }) => address);

/**
 * For undici's `connect`. The host's name stays what TLS proves and what the request says; nobody asks a resolver
 * for it a second time, whose answer might be another one.
 */
export function createConnector({
  networks,
  resolve,
  timeoutMs,
}: DestinationOptions): buildConnector.connector {
  const lookup: LookupFunction = (hostname, { all }, callback) => {
    checked(resolve, networks, hostname).then(
      (addresses) =>
        all ? callback(null, addresses) : callback(null, addresses[0].address, addresses[0].family),
      (error) => callback(error, ""),
    );
  };
  const openTcp = buildConnector({ lookup, timeout: timeoutMs } as buildConnector.BuildOptions);
  const openTls = buildConnector({ timeout: timeoutMs, allowH2: false, maxCachedSessions: 0 });
  return (target, callback) => {
    const { hostname, host = hostname, protocol } = target;
    // A socket to a literal address asks no lookup.
    const refusal = isIP(hostname) === 0 ? undefined : networks.refuses(hostname);
    if (refusal) return callback(new ForbiddenAddress(refusal), null);
    const port = target.port || (protocol === "https:" ? "443" : "80");
    openTcp({ hostname, host, port, protocol: "http:" }, (error, socket) => {
      if (error) return callback(error, null);
      const reached = refusalOf(socket, networks);
      if (reached) {
        socket.destroy();
        return callback(new ForbiddenAddress(reached), null);
      }
      if (protocol !== "https:") return callback(null, socket);
      openTls({ ...target, port, httpSocket: socket }, callback);
    });
  };
}

/** One bad address spoils the name: whoever answers for it could make it the one that is taken. */
async function checked(
  resolve: Resolve,
  networks: Networks,
  hostname: string,
): Promise<[LookupAddress, ...LookupAddress[]]> {
  const addresses = await resolve(hostname);
  for (const address of addresses) {
    const refusal = networks.refuses(address);
    if (refusal) throw new ForbiddenAddress(refusal);
  }
  const [first, ...others] = addresses.map((address) => ({ address, family: isIP(address) }));
  if (!first) throw Object.assign(new Error("the host's name has no address"), { code: "ENOTFOUND" });
  return [first, ...others];
}

/** Before anything is written to it. */
function refusalOf({ remoteAddress }: Socket, networks: Networks): AddressKind | undefined {
  return remoteAddress === undefined ? "invalid" : networks.refuses(remoteAddress);
}
