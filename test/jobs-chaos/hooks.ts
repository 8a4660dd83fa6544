/** A receiver of webhooks that fails often, verifies each as its users would, and remembers what came. */
import type { ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import type { Random } from "../../src/emulator/random.ts";
import { type Received, SECRET, startReceiver } from "../support/receiver.ts";

/** What came under one id. */
export interface Hook {
  tries: number;
  /** Whether the receiver has said that it took it. */
  taken: boolean;
  /** What was told of it; one only, however often it came. */
  readonly bodies: Set<string>;
}

export interface Hooks extends AsyncDisposable {
  readonly url: string;
  readonly byId: ReadonlyMap<string, Hook>;
  /** What is wrong with any that came, such as its signature. */
  readonly wrong: readonly string[];
  readonly tries: number;
  /** From now on none fails. */
  heal(): void;
}

/** Of tries that fail. */
const FAILING = 0.3;

/** @param failingTries of one webhook; after the second that fails the next is minutes later, as the schedule has it */
export async function startHooks(random: Random, failingTries: number): Promise<Hooks> {
  let failing = FAILING;
  const byId = new Map<string, Hook>();
  const wrong: string[] = [];
  const secret = new Webhook(SECRET);
  const receiver = await startReceiver((_, response) => {
    const received = receiver.received.at(-1);
    if (!received) return;
    const id = String(received.headers["webhook-id"]);
    const problem = problemOf(received, id, secret);
    if (problem) wrong.push(`${id}: ${problem}`);
    const hook = byId.get(id) ?? { tries: 0, taken: false, bodies: new Set() };
    byId.set(id, hook);
    hook.tries++;
    hook.bodies.add(received.body);
    if (hook.tries <= failingTries && random() < failing) return fail(response, random);
    hook.taken = true;
    response.writeHead(204).end();
  });
  return {
    url: `http://127.0.0.1:${receiver.port}/jobs`,
    byId,
    wrong,
    get tries() {
      return receiver.received.length;
    },
    heal() {
      failing = 0;
    },
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}

/** An error, none at all before the gateway's patience ends, or a connection that breaks. */
function fail(response: ServerResponse, random: Random): void {
  const way = random();
  if (way < 0.5) response.writeHead(500).end("out of order");
  else if (way < 0.75) response.socket?.resetAndDestroy();
}

function problemOf({ headers, body }: Received, id: string, secret: Webhook): string | undefined {
  try {
    secret.verify(body, headers as Record<string, string>);
  } catch (error) {
    return String(error);
  }
  const { data } = JSON.parse(body);
  const told = data.job?.job_id ?? data.batch?.batch_id;
  return told === id ? undefined : `it tells of ${told}`;
}
