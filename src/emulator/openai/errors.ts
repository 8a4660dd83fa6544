/** Errors as OpenAI and Azure spell them: the body's shape, texts, types and codes, and which status goes with which. */
import type { ErrorObject } from "openai/resources/shared";
import type { Answer } from "../exchange.ts";
import type { Fault } from "../fault.ts";
import { retryAfterHeaders } from "../retry-after.ts";

/** A request that is answered by an error. */
export class Refusal extends Error {
  readonly status: number;
  readonly error: ErrorObject;

  constructor(status: number, message: string, code: string | null = null, param: string | null = null) {
    super(message);
    this.status = status;
    this.error = { message, type: "invalid_request_error", param, code };
  }
}

export function refusalAnswer(refusal: Refusal, azure: boolean): Answer {
  const { status, error } = refusal;
  return errorAnswer(status, error, azure);
}

/** The HTTP answer of a fault. Azure sends the delay of a 429 twice, the second time as nothing (recorded so). */
export function faultAnswer(fault: Fault, azure: boolean): Answer {
  const status = statusOf(fault);
  const error = faultError(fault);
  const answer = errorAnswer(status, error, azure);
  const repeats = azure && status === 429 && fault.retryAfterSeconds !== undefined;
  const repeated = repeats ? { "retry-after-ms": "0" } : {};
  return { ...answer, headers: { ...answer.headers, ...repeated, ...retryAfterHeaders(fault) } };
}

/** The error itself, as it is also sent inside a stream. */
export function faultError(fault: Fault): ErrorObject {
  const { code } = fault;
  const status = statusOf(fault);
  const usual = ERROR_OF_STATUS.get(status) ?? (status < 500 ? BAD_REQUEST : SERVER_ERROR);
  return code === undefined ? usual : { ...(ERROR_OF_CODE.get(code) ?? usual), code };
}

/** Asked for, or the one that goes with the code, or 500. */
function statusOf({ status, code }: Fault): number {
  return status ?? (code === undefined ? 500 : (STATUS_OF_CODE.get(code) ?? 400));
}

export function unknownPath(method: string, path: string): Refusal {
  return new Refusal(404, `Invalid URL (${method} ${path})`);
}

export function unknownModel(model: string): Refusal {
  const message = `The model \`${model}\` does not exist or you do not have access to it.`;
  return new Refusal(404, message, "model_not_found");
}

export function unreadableBody(): Refusal {
  return new Refusal(
    400,
    "We could not parse the JSON body of your request. The API expects a JSON payload, but what was sent was not valid JSON.",
  );
}

/** `presented` is masked as OpenAI masks it: at most its ends are repeated. */
export function wrongKey(presented: string | undefined): Refusal {
  if (presented === undefined || presented === "") {
    return new Refusal(
      401,
      "You didn't provide an API key. Send it in an Authorization header: 'Bearer YOUR_KEY'.",
    );
  }
  const masked = presented.length < 16 ? "****" : `${presented.slice(0, 8)}****${presented.slice(-4)}`;
  const message = `Incorrect API key provided: ${masked}. You can find your API key at https://platform.openai.com/account/api-keys.`;
  return new Refusal(401, message, "invalid_api_key");
}

/** Where the recordings name a charset: keys and models are checked in front of the API, Azure counts there too. */
const CHARSET_STATUSES: ReadonlySet<number> = new Set([401, 404]);
const AZURE_CHARSET_STATUSES: ReadonlySet<number> = new Set([429]);

function errorAnswer(status: number, error: ErrorObject, azure: boolean): Answer {
  const charset = (azure ? AZURE_CHARSET_STATUSES : CHARSET_STATUSES).has(status);
  const shown = (azure ? azureError(status, error.code) : undefined) ?? error;
  return {
    status,
    headers: { "content-type": `application/json${charset ? "; charset=utf-8" : ""}` },
    body: JSON.stringify({ error: shown }),
  };
}

/** Azure's own front answers with fewer fields; its code may be a number in a string. */
interface AzureError {
  readonly type?: string;
  readonly code: string;
  readonly message: string;
}

function azureError(status: number, code: string | null): AzureError | undefined {
  if (status === 401) {
    return {
      code: "401",
      message:
        "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
    };
  }
  if (status === 404 && code === "model_not_found") {
    return {
      type: "invalid_request_error",
      code: "DeploymentNotFound",
      message:
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
    };
  }
  if (status === 429 && code !== "insufficient_quota") {
    return {
      code: "RateLimitReached",
      message: "Your requests to this deployment have exceeded rate limit.",
    };
  }
  return undefined;
}

const BAD_REQUEST: ErrorObject = {
  message: "The request was refused.",
  type: "invalid_request_error",
  param: null,
  code: null,
};

const SERVER_ERROR: ErrorObject = {
  message: "The server had an error while processing your request. Sorry about that!",
  type: "server_error",
  param: null,
  code: null,
};

const ERROR_OF_STATUS: ReadonlyMap<number, ErrorObject> = new Map([
  [401, { ...BAD_REQUEST, message: "Incorrect API key provided: ****.", code: "invalid_api_key" }],
  [
    403,
    {
      ...BAD_REQUEST,
      message: "Country, region, or territory not supported",
      type: "request_forbidden",
      code: "unsupported_country_region_territory",
    },
  ],
  [
    404,
    {
      ...BAD_REQUEST,
      message: "The model does not exist or you do not have access to it.",
      code: "model_not_found",
    },
  ],
  [
    429,
    {
      message: "Rate limit reached for requests per minute (RPM): Limit 500, Used 500, Requested 1.",
      type: "requests",
      param: null,
      code: "rate_limit_exceeded",
    },
  ],
  [503, { ...SERVER_ERROR, message: "The engine is currently overloaded, please try again later" }],
]);

const ERROR_OF_CODE: ReadonlyMap<string, ErrorObject> = new Map([
  [
    "insufficient_quota",
    {
      message: "You exceeded your current quota, please check your plan and billing details.",
      type: "insufficient_quota",
      param: null,
      code: "insufficient_quota",
    },
  ],
  [
    "context_length_exceeded",
    { ...BAD_REQUEST, message: "Your input exceeds the context window of this model.", param: "messages" },
  ],
  [
    "content_filter",
    {
      ...BAD_REQUEST,
      message: "The response was filtered due to the prompt triggering content management policy.",
    },
  ],
]);

const STATUS_OF_CODE: ReadonlyMap<string, number> = new Map([
  ["insufficient_quota", 429],
  ["rate_limit_exceeded", 429],
  ["invalid_api_key", 401],
  ["model_not_found", 404],
  ["server_error", 500],
]);
