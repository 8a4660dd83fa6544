/** Reads several streams beside each other, each as fast as it comes and no faster than it is taken. It knows nothing of what they tell. */

/** What one of them, by its place, has come to. */
export type Told<T> =
  | { readonly from: number; readonly kind: "item"; readonly item: T }
  | { readonly from: number; readonly kind: "failed"; readonly error: unknown }
  | { readonly from: number; readonly kind: "ended" };

/**
 * What is there is told in the order in which it came, so that none holds back another. Of each no more than one item
 * waits to be taken.
 *
 * @param leave called when it is read no further: ends whatever they wait for
 */
export async function* sideBySide<T>(
  sources: readonly AsyncGenerator<T>[],
  leave: () => void,
): AsyncGenerator<Told<T>> {
  const ready: Told<T>[] = [];
  let wake = () => {};
  let open = sources.length;
  const tell = (told: Told<T>) => {
    ready.push(told);
    wake();
  };
  const ask = (source: AsyncGenerator<T>, from: number) =>
    source.next().then(
      ({ done, value }) => tell(done ? { from, kind: "ended" } : { from, kind: "item", item: value }),
      (error: unknown) => tell({ from, kind: "failed", error }),
    );
  try {
    for (const [from, source] of sources.entries()) void ask(source, from);
    while (open > 0) {
      const told = ready.shift();
      if (!told) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if (told.kind !== "item") open--;
      yield told;
      const source = sources[told.from];
      if (told.kind === "item" && source) void ask(source, told.from);
    }
  } finally {
    if (open > 0) leave();
    await Promise.allSettled(sources.map((source) => source.return(undefined)));
  }
}
