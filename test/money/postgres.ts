/** A gateway's ledger on PostgreSQL, as anybody can read it who knows its tables. */
import { Client } from "pg";
import { type Columns, type Rows, rowsOfTables } from "./rows.ts";

/** Every number comes as a text, so that none is rounded. */
export async function readPostgres(connectionString: string): Promise<Rows> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    const all = async (table: string): Promise<Columns[]> =>
      (await client.query(`select * from ${table}`)).rows;
    return rowsOfTables(await all("attempts"), await all("calls"));
  } finally {
    await client.end();
  }
}
