/** Takes out of Redis what was cleared: it is given to nobody any more, and this makes room. It reads no answers. */
import type { Which } from "./answers.ts";
import { headOf } from "./codec.ts";
import type { Link } from "./link.ts";
import { isMeant } from "./memory.ts";
import { prefixOf } from "./stored.ts";

/** Keys that Redis looks at in one go, so that others wait for it a fraction of a millisecond. */
const PAGE = 200;
/** Where the head of most is. */
const HEAD_BYTES = 1_024;

/**
 * @param number of the clear, which means nothing that was kept behind it; undefined while it has none
 * @returns how many there were. @throws as Redis does: some may be left then
 */
export async function sweep(which: Which, link: Link, number = Number.POSITIVE_INFINITY): Promise<number> {
  const match = `${prefixOf(which.tenant)}*`;
  let swept = 0;
  let cursor = "0";
  do {
    const page = await link.send(["SCAN", cursor, "MATCH", match, "COUNT", String(PAGE)]);
    const [next, keys] = page as [unknown, unknown[]];
    cursor = String(next);
    const meant = await Promise.all(keys.map(String).map((key) => meantOf(key, which, link, number)));
    const names = meant.filter((key) => key !== undefined);
    if (names.length > 0) swept += Number(await link.send(["UNLINK", ...names]));
  } while (cursor !== "0");
  return swept;
}

/** The key, where its answer is meant or cannot be read. */
async function meantOf(key: string, which: Which, link: Link, number: number): Promise<string | undefined> {
  const first = (await link.send(["GETRANGE", key, "0", String(HEAD_BYTES - 1)])) as Buffer;
  let head = headOf(first);
  if (!head && first.length === HEAD_BYTES) head = headOf((await link.send(["GET", key])) as Buffer);
  return head && (head.generation >= number || !isMeant(head, which)) ? undefined : key;
}
