/** A database that does not answer, and may with the next try. The message is for the operator, and bears no secret. */
export class DatabaseFault extends Error {
  override readonly name = "DatabaseFault";
}
