/** One call for a command: the client, Ctrl-C, and what a failure looks like. It does not know the RPC. */
import { createGateway, type Gateway, GatewayError } from "../typescript/src/node.ts";
import { describeError, dollars } from "./describe.ts";
import { print } from "./text.ts";

export interface CallOptions {
  readonly url: string;
  readonly key?: string;
}

/** How the commands print messages. */
export const JSON_OPTIONS = { useProtoFieldName: true, alwaysEmitImplicit: true } as const;
/** What shells expect of a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/**
 * Gives the exit status; a failure is told on standard error.
 *
 * @param left what Ctrl-C leaves behind: by default a call that ends with it
 */
export async function call(
  { url, key }: CallOptions,
  make: (gateway: Gateway, signal: AbortSignal) => Promise<void>,
  left: (error: GatewayError) => string = spentBy,
): Promise<number> {
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.once("SIGINT", interrupt);
  try {
    // Whoever types a command decides whether to type it again.
    await make(createGateway({ baseUrl: url, apiKey: key, retry: false }), abort.signal);
    return 0;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (abort.signal.aborted && error.kind === "cancelled") {
      process.stderr.write(left(error));
      return INTERRUPTED;
    }
    print(`${describeError(error)}\n`, process.stderr);
    return 1;
  } finally {
    process.off("SIGINT", interrupt);
  }
}

function spentBy({ costUsd }: GatewayError): string {
  return costUsd === undefined
    ? "aborted; the gateway's log says what was spent\n"
    : `\naborted; about ${dollars(costUsd)} spent by then\n`;
}
