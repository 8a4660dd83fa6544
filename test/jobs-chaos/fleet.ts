/** Gateways of one store, each a process that is killed now and then and started again. */
import { setTimeout as wait } from "node:timers/promises";
import type { Random } from "../../src/emulator/random.ts";
import { below } from "../support/mutation.ts";
import type { GatewayProcess } from "../support/process.ts";

const START_TRIES = 20;
const START_AGAIN_MS = 500;

export class Fleet implements AsyncDisposable {
  /** Undefined where one is down. */
  private readonly gateways: (GatewayProcess | undefined)[];
  private readonly start: () => Promise<GatewayProcess>;
  private readonly random: Random;

  private constructor(gateways: GatewayProcess[], start: () => Promise<GatewayProcess>, random: Random) {
    this.gateways = gateways;
    this.start = start;
    this.random = random;
  }

  static async open(size: number, start: () => Promise<GatewayProcess>, random: Random): Promise<Fleet> {
    const gateways: GatewayProcess[] = [];
    while (gateways.length < size) gateways.push(await start());
    return new Fleet(gateways, start, random);
  }

  /** Of one that is up, as a load balancer would choose; undefined when none is. */
  get url(): string | undefined {
    const up = this.gateways.filter((gateway) => gateway !== undefined);
    return up[below(this.random, up.length)]?.url;
  }

  /** Ends one without a word, and resolves when it is up again. */
  async kill(): Promise<void> {
    const place = below(this.random, this.gateways.length);
    const gateway = this.gateways[place];
    this.gateways[place] = undefined;
    await gateway?.[Symbol.asyncDispose]();
    this.gateways[place] = await this.startAgain();
  }

  /** Drains all, as an operator would, and gives their exit codes. */
  async stop(): Promise<(number | null)[]> {
    const up = this.gateways.splice(0).filter((gateway) => gateway !== undefined);
    return Promise.all(up.map((gateway) => gateway.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.gateways.map((gateway) => gateway?.[Symbol.asyncDispose]()));
  }

  /** One that starts while the database is away ends at once, and whoever supervises it starts it again. */
  private async startAgain(): Promise<GatewayProcess> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.start();
      } catch (error) {
        if (tries === START_TRIES) throw error;
      }
      await wait(START_AGAIN_MS);
    }
  }
}
