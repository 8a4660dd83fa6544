import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type AddressKind, createNetworks, type Networks } from "../../src/wire/address.ts";
import {
  createConnector,
  ForbiddenAddress,
  type Resolve,
  systemResolve,
} from "../../src/wire/destination.ts";

/** What came over each connection. */
let arrived: Buffer[];
let accepted: Socket[];
let port: string;
let close: () => void;

beforeEach(async () => {
  arrived = [];
  accepted = [];
  const server = createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => arrived.push(chunk));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = String((server.address() as AddressInfo).port);
  close = () => {
    server.close();
    for (const socket of accepted) socket.destroy();
  };
});

afterEach(() => close());

const LOOPBACK = createNetworks(["127.0.0.0/8"]);

function connect(
  networks: Networks,
  resolve: Resolve,
  { hostname = "hooks.example.com", protocol = "http:" } = {},
): Promise<Socket> {
  const connector = createConnector({ networks, resolve, timeoutMs: 2_000 });
  return new Promise((done, fail) =>
    connector({ hostname, host: hostname, protocol, port }, (error, socket) =>
      error ? fail(error) : done(socket),
    ),
  );
}

/** A resolver that gives one answer after the other, and the last for ever. */
function answers(...sets: readonly string[][]): Resolve & { asked: number } {
  const resolve = async () => sets[Math.min(resolve.asked++, sets.length - 1)] ?? [];
  resolve.asked = 0;
  return resolve;
}

it("connects to an address that is allowed, and asks for it once", async () => {
  const resolve = answers(["127.0.0.1"]);
  const socket = await connect(LOOPBACK, resolve);
  expect(socket.remoteAddress).toBe("127.0.0.1");
  expect(resolve.asked).toBe(1);
  socket.destroy();
});

it.each([
  ["loopback", ["127.0.0.1"]],
  ["loopback", ["::1"]],
  ["private", ["10.0.0.7"]],
  ["metadata", ["169.254.169.254"]],
  ["loopback", ["8.8.8.8", "127.0.0.1"]],
  ["loopback", ["127.0.0.1", "8.8.8.8"]],
  ["link-local", ["fe80::1%lo"]],
  ["invalid", ["localhost"]],
] as const)("refuses a name that is at %s: %j", async (kind, addresses) => {
  const refusal = await connect(createNetworks([]), answers([...addresses])).catch((error) => error);
  expect(refusal).toBeInstanceOf(ForbiddenAddress);
  expect(refusal.kind).toBe(kind);
  expect(accepted).toEqual([]);
});

it.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])(
  "refuses the literal %s, for which no name is looked up",
  async (hostname) => {
    const resolve = answers(["8.8.8.8"]);
    const refusal = await connect(createNetworks([]), resolve, { hostname }).catch((error) => error);
    expect(refusal).toBeInstanceOf(ForbiddenAddress);
    expect(resolve.asked).toBe(0);
    expect(accepted).toEqual([]);
  },
);

it("never sees a second answer of a resolver that changes its mind", async () => {
  const resolve = answers(["127.0.0.2"], ["127.0.0.1"]);
  const networks = createNetworks(["127.0.0.2/32"]);
  await expect(connect(networks, resolve)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(resolve.asked).toBe(1);
  expect(accepted).toEqual([]);
});

it.each(["http:", "https:"])(
  "looks at where it arrived before it writes a byte, with %s",
  async (protocol) => {
    const verdicts: (AddressKind | undefined)[] = [undefined, "loopback"];
    const refusal = await connect({ refuses: () => verdicts.shift() }, answers(["127.0.0.1"]), {
      protocol,
    }).catch((error) => error);
    expect(refusal).toBeInstanceOf(ForbiddenAddress);
    expect(verdicts).toEqual([]);
    if (accepted[0] && !accepted[0].destroyed) await once(accepted[0], "close");
    expect(arrived).toEqual([]);
  },
);

it("says when a name has no address, and when its resolver fails", async () => {
  await expect(connect(LOOPBACK, answers([]))).rejects.toMatchObject({ code: "ENOTFOUND" });
  const failing = () => Promise.reject(Object.assign(new Error("no"), { code: "EAI_AGAIN" }));
  await expect(connect(LOOPBACK, failing)).rejects.toMatchObject({ code: "EAI_AGAIN" });
});

it("knows the names that the operating system knows", async () => {
  const addresses = await systemResolve("localhost");
  expect(addresses.length).toBeGreaterThan(0);
  for (const address of addresses) expect(createNetworks([]).refuses(address)).toBe("loopback");
});
