/** What is wrong with something that the command was given, in words for who gave it. */
export class InputError extends Error {
  override readonly name = "InputError";
}
