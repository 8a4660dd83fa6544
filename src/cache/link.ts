/**
 * The cache's way to Redis. Whoever asks waits a few milliseconds at most, and not at all while Redis fails: it is
 * then left alone for a while, reads and writes apart, since one that is full takes nothing and still tells what it has.
 */
import { type Clock, whenSilent } from "../core/clock.ts";
import { messageOf } from "../core/message.ts";
import type { Redis } from "../wire/redis.ts";
import { Rest } from "./rest.ts";

export type Command = readonly (string | Buffer)[];
export type Direction = "read" | "write";

export interface LinkOptions {
  /** Its strings come as buffers. */
  readonly redis: Redis;
  readonly clock: Clock;
  /** The most that a question waits. */
  readonly timeoutMs: number;
  readonly onError: (operation: string, reason: string) => void;
  /** Told when Redis is left alone, and when it is not any more. */
  readonly onRest: (direction: Direction, resting: boolean) => void;
}

interface Manner {
  /** What it is to Redis; `read` by default. */
  readonly direction?: Direction;
  /** Other than that of the link. */
  readonly timeoutMs?: number | undefined;
}

/** Bytes that were sent and not yet taken, at most; what comes beyond them is not sent. */
const MAX_WRITING_BYTES = 16_777_216;

export class Link {
  private readonly options: LinkOptions;
  private readonly rests: Readonly<Record<Direction, Rest>>;
  private writing = 0;

  constructor(options: LinkOptions) {
    const { clock, onRest } = options;
    this.options = options;
    this.rests = {
      read: new Rest(clock, (resting) => onRest("read", resting)),
      write: new Rest(clock, (resting) => onRest("write", resting)),
    };
  }

  /** Whether all went well lately: if not, it is better to ask no more than must be. */
  get calm(): boolean {
    return this.rests.read.calm && this.rests.write.calm;
  }

  /** @returns undefined when it was not asked, has failed, or was late. Never rejects. */
  async ask(
    operation: string,
    command: Command,
    { direction = "read", timeoutMs = this.options.timeoutMs }: Manner = {},
  ): Promise<{ readonly reply: unknown } | undefined> {
    const rest = this.rests[direction];
    if (!rest.begin()) return undefined;
    try {
      const reply = await this.inTime(command, timeoutMs);
      rest.succeeded();
      return { reply };
    } catch (error) {
      rest.failed();
      this.tellError(operation, error);
      return undefined;
    }
  }

  /** In the background; what Redis does not take is not kept. */
  write(operation: string, command: Command, bytes: number): void {
    const { options } = this;
    const { write: rest } = this.rests;
    if (this.writing + bytes > MAX_WRITING_BYTES || !rest.begin()) return;
    this.writing += bytes;
    options.redis
      .send(command)
      .then(
        () => rest.succeeded(),
        (error: unknown) => {
          rest.failed();
          this.tellError(operation, error);
        },
      )
      .finally(() => {
        this.writing -= bytes;
      });
  }

  /** Whatever it was like: for what must be done, or does no harm. @throws as `Redis` does */
  send(command: Command): Promise<unknown> {
    return this.options.redis.send(command);
  }

  /** Redis is there again. */
  revive(): void {
    this.rests.read.succeeded();
    this.rests.write.succeeded();
  }

  private inTime(command: Command, timeoutMs: number): Promise<unknown> {
    const { redis, clock } = this.options;
    return new Promise((resolve, reject) => {
      const timer = whenSilent(clock, timeoutMs, () =>
        reject(new Error(`Redis did not answer within ${timeoutMs} ms`)),
      );
      redis.send(command).then(resolve, reject).finally(timer.cancel);
    });
  }

  private tellError(operation: string, error: unknown): void {
    this.options.onError(operation, messageOf(error));
  }
}
