/** Which of SQLite's errors may be none with the next try. https://sqlite.org/rescode.html */

const PASSING: ReadonlySet<number> = new Set([
  5, // SQLITE_BUSY
  6, // SQLITE_LOCKED
  7, // SQLITE_NOMEM
  8, // SQLITE_READONLY, as of a disk that failed
  10, // SQLITE_IOERR
  13, // SQLITE_FULL
  14, // SQLITE_CANTOPEN
]);

export function isPassing(error: unknown): boolean {
  const code = error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
  // What is above tells more of the same.
  return PASSING.has(code & 0xff);
}
