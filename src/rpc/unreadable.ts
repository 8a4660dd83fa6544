/**
 * Bodies that connect-node cannot read, as failures. Its own errors blame the
 * server for malformed Protobuf, and quote what the caller sent, which is
 * nothing for a log.
 */
import { Code, type ConnectError } from "@connectrpc/connect";
import { Failure, invalidRequest } from "../core/failure.ts";
import { HALF_CHARACTER } from "../core/strict-json.ts";

/** Undefined when the error is about something else. */
export function unreadable(error: ConnectError): Failure | undefined {
  const { code, rawMessage } = error;
  if (code === Code.ResourceExhausted && rawMessage.includes("readMaxBytes")) {
    const limit = rawMessage.match(/readMaxBytes (\d+)/)?.[1];
    return new Failure("payload_too_large", `the body is larger than ${limit} bytes`);
  }
  if (rawMessage === "decompression failed") return refuse("", "the body is not what its encoding says");
  if (rawMessage.startsWith("parse binary: ")) return refuse("", "the body is not a valid Protobuf message");
  if (code !== Code.InvalidArgument) return undefined;
  const [, field, fault = ""] = rawMessage.match(FIELD) ?? [];
  if (field) return refuse(field, HALVED.test(fault) ? HALF_CHARACTER : fault.replace(GIVEN, ""));
  if (rawMessage.includes("recursion depth")) return refuse("", "the body is nested too deep");
  if (rawMessage.includes("encoded data was not valid")) return refuse("", "the body is not UTF-8");
  return rawMessage.startsWith("cannot decode")
    ? refuse("", "the body is not a valid JSON object")
    : undefined;
}

/** Such as `cannot decode field llmgateway.v1.Parameters.max_tokens from JSON: expected number, got "x"`. */
const FIELD = /^cannot decode field [\w.]*?(\w+) from JSON: (.*)$/s;
const GIVEN = /(?:, got |: ).*$/s;
const HALVED = /expected string: invalid UTF8$/;

function refuse(field: string, description: string): Failure {
  return invalidRequest([{ field, description }]);
}
