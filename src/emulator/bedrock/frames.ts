/** Messages of an AWS event stream, as bytes with their checksums. It knows nothing of what is in them. */
import { crc32 } from "node:zlib";

export function eventFrame(type: string, payload: object): Buffer {
  return message({ ":event-type": type, ...HEADERS, ":message-type": "event" }, payload);
}

export function exceptionFrame(type: string, payload: object): Buffer {
  return message({ ":exception-type": type, ...HEADERS, ":message-type": "exception" }, payload);
}

const HEADERS = { ":content-type": "application/json" };
const STRING = 7;
const PRELUDE_BYTES = 8;
const CHECKSUM_BYTES = 4;

/** Lengths and their checksum, headers, payload, and the checksum of all before it. */
function message(headers: Readonly<Record<string, string>>, payload: object): Buffer {
  const head = Buffer.concat(Object.entries(headers).map(([name, value]) => header(name, value)));
  const body = Buffer.from(JSON.stringify(payload));
  const prelude = Buffer.alloc(PRELUDE_BYTES);
  prelude.writeUInt32BE(PRELUDE_BYTES + head.length + body.length + 2 * CHECKSUM_BYTES, 0);
  prelude.writeUInt32BE(head.length, 4);
  const checked = Buffer.concat([prelude, checksum(prelude), head, body]);
  return Buffer.concat([checked, checksum(checked)]);
}

function header(name: string, value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([Buffer.of(name.length), Buffer.from(name), Buffer.of(STRING), length, bytes]);
}

function checksum(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(CHECKSUM_BYTES);
  sum.writeUInt32BE(crc32(bytes));
  return sum;
}
