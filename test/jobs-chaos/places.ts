/** Where a round's jobs are kept, how many gateways share it, and how to look into it once they are gone. */

import { queryPostgres } from "../money/postgres.ts";
import type { Columns } from "../money/rows.ts";
import { ledgerIsSound, querySqlite } from "../money/sqlite.ts";
import type { Home } from "../support/home.ts";
import { startPostgres } from "../support/postgres.ts";

export interface Place extends AsyncDisposable {
  readonly gateways: number;
  readonly env: Readonly<Record<string, string>>;
  query(home: Home, text: string): Promise<Columns[]>;
  /** Looks for damage that reading would not meet. */
  isSound(home: Home): boolean;
  /** Ends the database's server, which comes back; undefined where there is none. */
  readonly restart: (() => Promise<void>) | undefined;
}

export function onSqlite(): Place {
  return {
    gateways: 1,
    env: {},
    query: async ({ data }, text) => querySqlite(data, text),
    isSound: ({ data }) => ledgerIsSound(data),
    restart: undefined,
    async [Symbol.asyncDispose]() {},
  };
}

export async function onPostgres(): Promise<Place> {
  const postgres = await startPostgres();
  const url = await postgres.createDatabase();
  return {
    gateways: 2,
    env: { DATABASE_URL: url },
    query: (_, text) => queryPostgres(url, text),
    // It is told to end, and so keeps its pages sound.
    isSound: () => true,
    restart: () => postgres.restart(),
    [Symbol.asyncDispose]: () => postgres.stop(),
  };
}
