/** Errors as Bedrock spells them: the exception's name in a header, its words in the body, and which status goes with which. */
import type { Answer } from "../exchange.ts";
import type { Fault } from "../fault.ts";
import { retryAfterHeaders } from "../retry-after.ts";

/** A request that is answered by an exception. */
export class Refusal extends Error {
  readonly exception: string;

  constructor(message: string, exception = "ValidationException") {
    super(message);
    this.exception = exception;
  }
}

export function refusalAnswer({ exception, message }: Refusal): Answer {
  return errorAnswer(STATUS_OF.get(exception) ?? 400, exception, message);
}

/** The HTTP answer of a fault. */
export function faultAnswer(fault: Fault): Answer {
  const { exception, message } = faultException(fault);
  const answer = errorAnswer(statusOf(fault), exception, message);
  return { ...answer, headers: { ...answer.headers, ...retryAfterHeaders(fault) } };
}

/** The exception itself, as it is also sent inside a stream. A code is a name, with or without `Exception`. */
export function faultException(fault: Fault): { exception: string; message: string } {
  const named = fault.code && (fault.code.endsWith("Exception") ? fault.code : `${fault.code}Exception`);
  const status = statusOf(fault);
  const usual =
    EXCEPTION_OF.get(status) ?? (status < 500 ? "ValidationException" : "InternalServerException");
  const exception = named || usual;
  return { exception, message: MESSAGES.get(exception) ?? "The request was refused." };
}

/** In a stream an exception is named as the fields of its events are. */
export function inStream(exception: string): string {
  return `${exception.charAt(0).toLowerCase()}${exception.slice(1)}`;
}

function errorAnswer(status: number, exception: string, message: string): Answer {
  return {
    status,
    headers: {
      "content-type": "application/json",
      "x-amzn-errortype": `${exception}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
    },
    body: JSON.stringify({ message }),
  };
}

/** Asked for, or the one that goes with the code; Bedrock's usual trouble is its own. */
function statusOf({ status, code }: Fault): number {
  if (status !== undefined) return status;
  if (code === undefined) return 500;
  return STATUS_OF.get(code) ?? STATUS_OF.get(`${code}Exception`) ?? 400;
}

const STATUS_OF: ReadonlyMap<string, number> = new Map([
  ["ValidationException", 400],
  ["ServiceQuotaExceededException", 400],
  ["AccessDeniedException", 403],
  ["ExpiredTokenException", 403],
  ["IncompleteSignatureException", 403],
  ["InvalidSignatureException", 403],
  ["MissingAuthenticationTokenException", 403],
  ["UnrecognizedClientException", 403],
  ["ResourceNotFoundException", 404],
  ["UnknownOperationException", 404],
  ["ModelTimeoutException", 408],
  ["ModelErrorException", 424],
  ["ModelStreamErrorException", 424],
  ["ThrottlingException", 429],
  ["ModelNotReadyException", 429],
  ["InternalServerException", 500],
  ["ServiceUnavailableException", 503],
]);

const EXCEPTION_OF: ReadonlyMap<number, string> = new Map([
  [403, "AccessDeniedException"],
  [404, "ResourceNotFoundException"],
  [408, "ModelTimeoutException"],
  [424, "ModelErrorException"],
  [429, "ThrottlingException"],
  [500, "InternalServerException"],
  [503, "ServiceUnavailableException"],
]);

const MESSAGES: ReadonlyMap<string, string> = new Map([
  ["AccessDeniedException", "You don't have access to the model with the specified model ID."],
  ["ExpiredTokenException", "The security token included in the request is expired"],
  ["ResourceNotFoundException", "This model version has reached the end of its life."],
  ["ModelTimeoutException", "Model has timed out in processing the request. Try your request again."],
  ["ModelErrorException", "The model failed while it processed the request."],
  ["ModelStreamErrorException", "The model failed while it streamed its answer."],
  ["ModelNotReadyException", "Model is not ready for inference. Wait and try your request again."],
  ["ThrottlingException", "Too many requests, please wait before trying again."],
  ["ServiceQuotaExceededException", "Your request exceeds the service quota for your account."],
  [
    "InternalServerException",
    "The system encountered an unexpected error during processing. Try your request again.",
  ],
  ["ServiceUnavailableException", "Bedrock is unable to process your request."],
]);
