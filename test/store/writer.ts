/** A process that writes batches of ten calls until it is killed, and tells of each that the store has taken. */
import { openStore } from "../../src/store/store.ts";
import { batchOf, callRowOf, intentOf, settlementOf } from "../support/ledger.ts";

const [dataDir = "", round] = process.argv.slice(2);
const MOST_BATCHES = 20_000;

const { ledger } = await openStore({ dataDir, instance: `writer ${round}`, onDeath: () => process.exit(1) });
for (let batch = 0; batch < MOST_BATCHES; batch++) {
  const ids = Array.from({ length: 10 }, (_, index) => `${round}-${batch}-${index}`);
  await ledger.append(
    batchOf({
      intents: ids.map((id) => intentOf(id)),
      settlements: ids.map((id) => settlementOf(id)),
      calls: ids.map((id) => callRowOf(id)),
      // The end of the process is survived either way.
      durable: batch % 2 === 0,
    }),
  );
  process.send?.(ids);
}
