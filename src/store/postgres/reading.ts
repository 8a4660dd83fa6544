/** What was spent as statements to PostgreSQL. It knows no tables. */
import type { Reader } from "../usage.ts";
import type { Dialect, Statement } from "../usage-query.ts";
import type { Postgres } from "./connection.ts";

const POSTGRES: Dialect = {
  tag: (parameter) => `tags ->> ${parameter}::text`,
  tagName: (name) => name,
  total: (amount) => `coalesce(sum(${amount}), 0)::text`,
};

export function readingOn({ transaction }: Postgres): Reader {
  const read = ({ text, values }: Statement, rowMode?: "array") =>
    transaction(async (client) => {
      // To compile so many sums takes longer than to add them up.
      await client.query("SET LOCAL jit = off");
      return (await client.query({ text, values: [...values], ...(rowMode && { rowMode }) })).rows;
    });
  return {
    dialect: POSTGRES,
    rows: (statement) => read(statement),
    lists: (statement) => read(statement, "array"),
  };
}
