/** Which migrations a database still needs. It knows neither their language nor how they are applied. */

/** Each takes a database from the version before to its own; the first makes version 1. Never changed, only added to. */
export type Migrations = readonly string[];

export interface Step {
  readonly version: number;
  readonly sql: string;
}

/**
 * @param version of the database; 0 when it is empty
 * @throws Error when it is newer than the program
 */
export function stepsFrom(version: number, migrations: Migrations): Step[] {
  if (version > migrations.length) {
    throw new Error(
      `it has version ${version}, and this llmgateway knows versions up to ${migrations.length}; ` +
        "start the newer llmgateway that wrote it, or choose another database",
    );
  }
  return migrations.slice(version).map((sql, index) => ({ version: version + index + 1, sql }));
}
