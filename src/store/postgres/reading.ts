/** What was spent as statements to PostgreSQL. It knows no tables. */
import type { Reader } from "../usage.ts";
import type { Dialect } from "../usage-query.ts";
import type { Postgres } from "./connection.ts";

const POSTGRES: Dialect = {
  tag: (parameter) => `tags ->> ${parameter}::text`,
  tagName: (name) => name,
  total: (amount) => `coalesce(sum(${amount}), 0)::text`,
};

export function readingOn({ transaction }: Postgres): Reader {
  return {
    dialect: POSTGRES,
    rows: ({ text, values }) => transaction(async (client) => (await client.query(text, [...values])).rows),
    lists: ({ text, values }) =>
      transaction(
        async (client) => (await client.query({ text, values: [...values], rowMode: "array" })).rows,
      ),
  };
}
