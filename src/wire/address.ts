/**
 * What an IP address is good for: public, or one of the many kinds that lead back into somebody's own network. It
 * knows neither names nor sockets.
 */
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

export type AddressKind =
  | "public"
  | "loopback"
  | "private"
  | "link-local"
  | "unique-local"
  | "shared"
  | "metadata"
  | "multicast"
  | "unspecified"
  | "reserved"
  | "invalid";

export interface Networks {
  /** Undefined when the address is public or in one of the networks; else what it is. */
  refuses(address: string): AddressKind | undefined;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = readonly [Address, number];

/**
 * Where clouds hand out a machine's credentials, some of it on addresses that would pass for public. A wide network
 * does not open them: they have to be named by themselves.
 */
const METADATA: ReadonlySet<string> = new Set(
  [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
  ].map((address) => ipaddr.parse(address).toNormalizedString()),
);

/** As the library calls its ranges; all that are not here are reserved. */
const KINDS: Readonly<Record<string, AddressKind>> = {
  unicast: "public",
  loopback: "loopback",
  private: "private",
  linkLocal: "link-local",
  uniqueLocal: "unique-local",
  carrierGradeNat: "shared",
  multicast: "multicast",
  unspecified: "unspecified",
};

const GLOBAL_UNICAST: Network = ipaddr.parseCIDR("2000::/3");
/** Bears an IPv4 address, which is where packets go. */
const NAT64: Network = ipaddr.parseCIDR("64:ff9b::/96");
const IPV4_BYTES = 4;

export function kindOfAddress(text: string): AddressKind {
  const address = parse(text);
  return address ? kindOf(address) : "invalid";
}

/** @param networks in CIDR notation; what is none allows nothing */
export function createNetworks(networks: readonly string[]): Networks {
  const allowed = networks.flatMap((text) => {
    const network = parseNetwork(text);
    return network ? [network] : [];
  });
  return {
    refuses(text) {
      const address = parse(text);
      if (!address) return "invalid";
      const kind = kindOf(address);
      if (kind === "public") return undefined;
      const open = kind === "metadata" ? allowed.filter(isSingle) : allowed;
      return open.some((network) => contains(network, address)) ? undefined : kind;
    },
  };
}

/** Whether it is an IP network in CIDR notation, such as `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/** An IPv4 address in the clothes of IPv6 is taken as what it is. */
function parse(text: string): Address | undefined {
  // The library reads hexadecimal, octal and shortened forms too, which no resolver and no socket gives.
  const family = isIP(text);
  if (family === 0) return undefined;
  return ipaddr.process(family === 4 ? text : withoutDots(text));
}

/** The library takes `::1.2.3.4` for `::ffff:1.2.3.4`, which is another address. A zone is of no matter here. */
function withoutDots(text: string): string {
  const [bare = ""] = text.split("%");
  return new URL(`http://[${bare}]`).hostname.slice(1, -1);
}

function parseNetwork(text: string): Network | undefined {
  const [base = ""] = text.split("/");
  return isIP(base) !== 0 && ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined;
}

function kindOf(address: Address): AddressKind {
  if (METADATA.has(address.toNormalizedString())) return "metadata";
  if (contains(NAT64, address)) return kindOf(ipaddr.fromByteArray(address.toByteArray().slice(-IPV4_BYTES)));
  const kind = KINDS[address.range()] ?? "reserved";
  // Only so much of IPv6 is given out. The rest, with IPv4-compatible addresses in it, passes for unicast too.
  return kind === "public" && address.kind() === "ipv6" && !contains(GLOBAL_UNICAST, address)
    ? "reserved"
    : kind;
}

function contains([base, bits]: Network, address: Address): boolean {
  return base.kind() === address.kind() && address.match(base, bits);
}

function isSingle([base, bits]: Network): boolean {
  return bits === 8 * base.toByteArray().length;
}
