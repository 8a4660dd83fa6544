/**
 * Loads anew when a file changes. It looks at the file's state again and again instead of asking the
 * system for events, which miss a file that is replaced behind a symbolic link, as Kubernetes does.
 */
import { type StatsListener, statSync, unwatchFile, watchFile } from "node:fs";
import { type Clock, systemClock, type Timer } from "../core/clock.ts";

export interface Watched<T> {
  /** Asked again at each change: there may be others by then, or fewer. Folders change with what is in them. */
  readonly paths: () => readonly string[];
  /** Makes a whole new snapshot; throws when a file is not right. */
  readonly load: () => T;
  readonly onLoaded: (snapshot: T) => void;
  /** `load` or `onLoaded` threw. The snapshot from before stays in force. */
  readonly onFailed: (error: unknown) => void;
  /** Between two looks; default 2000. */
  readonly intervalMs?: number;
  /** For how long after a change all files must have stayed as they are; the system's time by default. */
  readonly clock?: Pick<Clock, "after">;
}

/** Whoever writes a file for longer goes on with it within that time. */
export const UNCHANGED_MS = 500;

/**
 * Never loads at the start; begin to watch before the first load, so that no change is lost between. A file
 * that vanishes or appears has changed too. Loads nothing that is still being written, as far as that can be
 * seen: half a file may be one that can be read. Does not keep the process alive.
 */
export function watchConfig<T>({
  paths,
  load,
  onLoaded,
  onFailed,
  intervalMs = 2000,
  clock = systemClock,
}: Watched<T>): { close(): void } {
  let watched = new Set<string>();
  let loaded = "";
  let settling: Timer | undefined;
  const onChange: StatsListener = (now, before) => {
    // The first look at a file that is not there is reported like a change.
    if (now.nlink === 0 && before.nlink === 0) return;
    // Before they are loaded, so that no change is lost between.
    look();
    // Of several files that changed together, some are reported only after all were loaded.
    if (!settling && statesOf(watched) !== loaded) settle();
  };
  const settle = () => {
    const states = statesOf(watched);
    settling = clock.after(UNCHANGED_MS, () => {
      look();
      if (statesOf(watched) !== states) return settle();
      settling = undefined;
      loaded = states;
      reload();
    });
  };
  const reload = () => {
    try {
      onLoaded(load());
    } catch (error) {
      onFailed(error);
    }
    // What was loaded may name others.
    look();
  };
  const look = () => {
    const wanted = new Set(paths());
    for (const path of watched.difference(wanted)) unwatchFile(path, onChange);
    for (const path of wanted.difference(watched))
      watchFile(path, { interval: intervalMs, persistent: false }, onChange);
    watched = wanted;
  };
  look();
  return {
    close() {
      settling?.cancel();
      for (const path of watched) unwatchFile(path, onChange);
    },
  };
}

function statesOf(paths: Iterable<string>): string {
  return Array.from(paths, (path) => `${path} ${stateOf(path)}`).join("\n");
}

/** Of what a link leads to in the end. */
function stateOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
