/**
 * Loads anew when a file changes. It looks at the file's state again and again instead of asking the
 * system for events, which miss a file that is replaced behind a symbolic link, as Kubernetes does.
 */
import { type StatsListener, unwatchFile, watchFile } from "node:fs";

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
}

/**
 * Never loads at the start; begin to watch before the first load, so that no change is lost between. A file
 * that vanishes or appears has changed too. Does not keep the process alive.
 */
export function watchConfig<T>({ paths, load, onLoaded, onFailed, intervalMs = 2000 }: Watched<T>): {
  close(): void;
} {
  let watched = new Set<string>();
  const onChange: StatsListener = (now, before) => {
    // The first look at a file that is not there is reported like a change.
    if (now.nlink === 0 && before.nlink === 0) return;
    // Before it is loaded, so that no change is lost between.
    look();
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
      for (const path of watched) unwatchFile(path, onChange);
    },
  };
}
