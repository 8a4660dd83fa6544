/**
 * Rendezvous hashing: a session's own order of several places. When a place goes, only the sessions that it had go
 * elsewhere; when one comes, it takes its share from each of the others.
 */

/** 32 bits, well spread; not for secrets or against anybody who looks for collisions. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mixed(hash);
}

/**
 * How much a session is drawn to a place: the greatest wins, each place as often as its weight says.
 *
 * @param session its hash
 * @param place its hash
 * @param weight 0 loses to all that have more
 */
export function pull(session: number, place: number, weight: number): number {
  const drawn = (mixed(session ^ mixed(place ^ 0x9e3779b9)) + 0.5) / 2 ** 32;
  return weight / -Math.log(drawn);
}

/** MurmurHash3's finalizer: each bit of the input turns half of those of the output. */
function mixed(bits: number): number {
  let hash = bits;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
