/**
 * By which names the gateway may be asked while whoever reaches it may do everything. That is to be its own machine
 * alone; but a page in a browser there may have its own name mean this machine, and would then be one of the gateway's.
 */
import { isIP } from "node:net";
import { Failure } from "../core/failure.ts";
import { kindOfAddress } from "../wire/address.ts";
import type { Door } from "./door.ts";
import { toConnectError } from "./errors.ts";
import type { NodeReply, NodeRequest } from "./node.ts";
import { refuseRpc } from "./refusal.ts";

export interface HostsOptions {
  /** What the gateway listens on. */
  readonly host: string;
  /** Whether whoever reaches it may do everything; asked for each request. */
  readonly isOpen: () => boolean;
  readonly door: Door;
  /** Answers what is no RPC by its headers. */
  readonly refuse: (request: NodeRequest, reply: NodeReply, error: unknown) => void;
}

/** Answers a request by another's name; false for one that may go on. */
export type Hosts = (request: NodeRequest, reply: NodeReply) => boolean;

export function createHosts({ host, isOpen, door, refuse }: HostsOptions): Hosts {
  if (!isLoopback(host)) return () => false;
  return (request, reply) => {
    const { ":authority": authority, host: named } = request.headers;
    const asked = authority?.toString() ?? named;
    if (!asked || !isOpen() || isOwn(asked)) return false;
    const failure = new Failure(
      "permission_denied",
      `without API keys the gateway answers to localhost and to addresses, and not to "${asked}", since any page in a browser could have a name of its own mean this machine: ask http://localhost, or configure auth.keys`,
    );
    if (!refuseRpc(door, request, reply, { failure, error: toConnectError, http: failure.traits.http }))
      refuse(request, reply, failure);
    return true;
  };
}

function isLoopback(host: string): boolean {
  return isIP(host) ? kindOfAddress(host) === "loopback" : isLocalhost(host);
}

/** What nearly all ask for, for which nothing need be taken apart. */
const USUAL = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;

/** Whether nobody else can have the name. Browsers send none that they could not read, and always one. */
function isOwn(asked: string): boolean {
  if (USUAL.test(asked)) return true;
  const name = URL.parse(`http://${asked}`)?.hostname ?? "";
  return isLocalhost(name) || isIP(name.replace(/^\[|\]$/g, "")) > 0;
}

function isLocalhost(name: string): boolean {
  return /^(?:[^.]+\.)*localhost\.?$/i.test(name);
}
