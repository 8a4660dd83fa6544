/** A provider on loopback that does what the test says, and keeps what it was sent. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ProviderSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { Credentials } from "../../src/providers/credentials.ts";
import type { ProviderSettings } from "../../src/providers/kind.ts";
import { VirtualClock } from "./clock.ts";

export const NO_CREDENTIALS: Credentials = { prove: () => ({ headers: {}, secret: "" }) };

/** What a provider is built from, with a clock that stands still. */
export function settingsOf(
  name: string,
  config: MessageInitShape<typeof ProviderSchema>,
  keys: readonly string[],
  clock: Clock = new VirtualClock(),
): ProviderSettings {
  return {
    name,
    config: create(ProviderSchema, config),
    keys,
    env: {},
    connectTimeoutMs: 1_000,
    maxConnections: 2,
    bufferedReads: 4,
    clock,
    random: () => 0.5,
  };
}

export interface Received {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface ScriptedProvider extends AsyncDisposable {
  readonly origin: string;
  /** Oldest first. */
  readonly requests: readonly Received[];
}

export type Play = (reply: ServerResponse, request: Received) => void | Promise<void>;

export async function scriptedProvider(play: Play): Promise<ScriptedProvider> {
  const requests: Received[] = [];
  const server = createServer(async (request, reply) => {
    let body = "";
    for await (const piece of request.setEncoding("utf8")) body += piece;
    const received = { url: request.url ?? "", headers: request.headers, body };
    requests.push(received);
    await play(reply, received);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Answers every request with this JSON. */
export function answers(status: number, json: unknown): Play {
  return (reply) =>
    void reply.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
}
