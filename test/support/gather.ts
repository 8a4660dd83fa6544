/** A stream to its end, which may be an error. */
import { ConnectError } from "@connectrpc/connect";

export async function gather<Event>(events: AsyncIterable<Event>) {
  const gathered: Event[] = [];
  try {
    for await (const event of events) gathered.push(event);
  } catch (error) {
    return { gathered, error: ConnectError.from(error) };
  }
  return { gathered, error: undefined };
}
