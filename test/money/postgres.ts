/** A gateway's ledger on PostgreSQL, as anybody can read it who knows its tables. */
import { Client } from "pg";
import { type Columns, type Rows, rowsOfTables } from "./rows.ts";

export async function readPostgres(connectionString: string): Promise<Rows> {
  const all = (table: string) => queryPostgres(connectionString, `select * from ${table}`);
  return rowsOfTables(await all("attempts"), await all("calls"));
}

/** Every large number comes as a text, so that none is rounded. */
export async function queryPostgres(connectionString: string, text: string): Promise<Columns[]> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
