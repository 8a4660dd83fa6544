/** The RPCs as operations: at their REST paths, which the plugin knows, and at Connect's, which follow from the names. */
import type { DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { FailureKind } from "../../../src/core/failure.ts";
import { STREAM_OF } from "../../../src/rpc/json/front.ts";
import { headerRefs, KINDS, RATE_LIMIT_HEADERS, responsesTo } from "./failures.mts";
import { type MessageSchemas, prose, type Schema } from "./schemas.mts";

/** Of a document: what an operation is made of. */
export interface Operation {
  readonly operationId: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: unknown;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description?: string;
  readonly schema?: Schema;
}

/** By path, then by verb. */
export type Paths = Readonly<Record<string, Readonly<Record<string, object>>>>;

export interface Contract {
  readonly services: readonly DescService[];
  readonly messages: MessageSchemas;
  /** Names of the examples that there are: that of the message, or that with something behind a dot. */
  readonly examples: readonly string[];
}

/** @param plugin the plugin's paths, of which each is that of an RPC with an annotation */
export function restPaths(
  contract: Contract,
  plugin: Readonly<Record<string, Readonly<Record<string, Operation>>>>,
): Paths {
  const methods = contract.services.flatMap((service) => service.methods);
  const restOf = (given: Operation) => {
    const method = methods.find(({ name, parent }) => given.operationId === `${parent.name}_${name}`);
    if (!method) throw new Error(`${given.operationId} is none of the contract's RPCs`);
    return rest(contract, method, given);
  };
  return Object.fromEntries(
    Object.entries(plugin).map(([path, verbs]) => [
      path,
      Object.fromEntries(Object.entries(verbs).map(([verb, given]) => [verb, restOf(given)])),
    ]),
  );
}

/** @param descriptionOf the plugin's words on an RPC */
export function connectPaths(contract: Contract, descriptionOf: (method: DescMethod) => string): Paths {
  const methods = contract.services.flatMap((service) => service.methods);
  return Object.fromEntries(
    methods
      .filter(({ methodKind }) => methodKind === "unary")
      .map((method) => {
        const post = connect(contract, method, descriptionOf(method));
        const verbs = isRead(method)
          ? { get: connectGet(contract, method, descriptionOf(method)), post }
          : { post };
        return [`/${method.parent.typeName}/${method.name}`, verbs];
      }),
  );
}

function rest(contract: Contract, method: DescMethod, given: Operation): object {
  const { messages } = contract;
  const parameters = parametersOf(messages, method, given);
  const kinds = kindsOf(method, [
    "method_not_allowed",
    ...(parameters.some((parameter) => parameter.in === "path") ? (["not_found"] as const) : []),
    ...(given.requestBody ? (["unsupported_media_type", "payload_too_large"] as const) : []),
  ]);
  const twin = streamingTwin(method);
  const streamed = method.methodKind === "server_streaming" ? method : twin;
  return {
    tags: [method.parent.name],
    operationId: method.localName,
    ...wordsOf(given.description ?? ""),
    parameters: [...parameters, ...parameterRefs(["connect-timeout-ms", "x-request-id", "traceparent"])],
    ...(given.requestBody
      ? { requestBody: body(contract, messages.ref(method.input, "request"), method.input) }
      : {}),
    responses: {
      200: {
        description: twin ? "The answer; as it comes, when `stream` is true." : "The answer.",
        headers: replyHeaders(method),
        content: {
          ...(method === streamed ? {} : json(contract, messages.ref(method.output, "reply"), method.output)),
          ...(streamed ? eventStream(contract, streamed.output) : {}),
        },
      },
      ...responsesTo(kinds, "rest"),
    },
  };
}

/** Which fields stand in the path the plugin knows. Of a query's it takes times apart, and forgets all but the first. */
function parametersOf(
  messages: MessageSchemas,
  { input }: DescMethod,
  { parameters = [], requestBody }: Operation,
): Parameter[] {
  const inPath = parameters.filter((parameter) => parameter.in === "path");
  const others = input.fields.filter(({ name }) => !inPath.some((parameter) => parameter.name === name));
  const inQuery = requestBody ? [] : others.map(({ name }) => ({ name, in: "query" }));
  return [...inPath.map(({ schema: _, ...parameter }) => parameter), ...inQuery].map((parameter) => {
    const { description, ...schema } = messages.field(input, parameter.name);
    return { ...parameter, ...(description ? { description } : {}), schema };
  });
}

function connect(contract: Contract, method: DescMethod, description: string): object {
  const { messages } = contract;
  return {
    tags: ["Connect"],
    operationId: `${method.parent.name}_${method.name}`,
    ...wordsOf(description),
    parameters: parameterRefs([
      "connect-protocol-version",
      "connect-timeout-ms",
      "x-request-id",
      "traceparent",
    ]),
    requestBody: body(contract, messages.ref(method.input, "request"), method.input),
    responses: {
      200: {
        description: "The answer.",
        headers: replyHeaders(method),
        content: json(contract, messages.ref(method.output, "reply"), method.output),
      },
      ...responsesTo(kindsOf(method, ["payload_too_large"]), "connect"),
    },
  };
}

/** The same with the message in the query, for RPCs that change nothing. */
function connectGet(contract: Contract, method: DescMethod, description: string): object {
  const { requestBody: _, ...post } = connect(contract, method, description) as Operation;
  const message = {
    name: "message",
    in: "query",
    required: true,
    description: "The request, written as `encoding` says.",
    content: { "application/json": { schema: contract.messages.ref(method.input, "request") } },
  };
  const others = [
    "encoding",
    "base64",
    "compression",
    "connect",
    "connect-timeout-ms",
    "x-request-id",
    "traceparent",
  ];
  return {
    ...post,
    operationId: `${post.operationId}_Get`,
    parameters: [message, ...parameterRefs(others)],
  };
}

/** What can go wrong with this RPC on every protocol, and with it on this one. */
function kindsOf(method: DescMethod, own: readonly FailureKind[]): readonly FailureKind[] {
  if (!asksNobody(method) || tellsAnOutcome(method))
    return KINDS.filter((kind) => own.includes(kind) || !OF_THE_PROTOCOL.includes(kind));
  const stored: readonly FailureKind[] = isStored(method) ? ["not_found", "jobs_unavailable"] : [];
  const named: readonly FailureKind[] = namesOne(method) ? ["not_found"] : [];
  return [...new Set([...OF_EVERY_RPC, ...stored, ...named, ...own])];
}

const OF_EVERY_RPC: readonly FailureKind[] = [
  "invalid_request",
  "unauthenticated",
  "permission_denied",
  "internal",
];

/** Whether it fails with nothing that a call of a provider can fail with. */
function asksNobody(method: DescMethod): boolean {
  return isRead(method) || isOfTemplates(method);
}

function isOfTemplates({ input }: DescMethod): boolean {
  return input.file.name.endsWith("/template");
}

/** Whether it fails with whatever a call has failed with that was made before. */
function tellsAnOutcome({ output }: DescMethod): boolean {
  return output.name === "ChatResponse";
}

/** Whether it can be asked for one of many, which may not be there. */
function namesOne({ input }: DescMethod): boolean {
  return input.fields.some(({ name }) => name === "name" || name === "id");
}

/** Whether it reads what the database keeps of jobs. */
function isStored({ input }: DescMethod): boolean {
  return input.file.name.endsWith("/job");
}

const OF_THE_PROTOCOL: readonly FailureKind[] = [
  "method_not_allowed",
  "unsupported_media_type",
  "payload_too_large",
];

function isRead({ idempotency }: DescMethod): boolean {
  return idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

/** The RPC that a unary one turns into over REST when its request says `"stream": true`. */
function streamingTwin({ parent, name }: DescMethod): DescMethod | undefined {
  const isMeant = (method: DescMethod) => method.parent.typeName === parent.typeName && method.name === name;
  const [, twin] = [...STREAM_OF].find(([unary]) => isMeant(unary)) ?? [];
  return parent.methods.find((method) => method.name === twin?.name);
}

function replyHeaders(method: DescMethod) {
  return headerRefs(["x-request-id", "traceparent", ...(asksNobody(method) ? [] : RATE_LIMIT_HEADERS)]);
}

function parameterRefs(names: readonly string[]) {
  return names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
}

function body(contract: Contract, schema: Schema, message: DescMessage): object {
  return { required: true, content: json(contract, schema, message) };
}

function json({ examples }: Contract, schema: Schema, { name }: DescMessage): object {
  return { "application/json": { schema, ...examplesOf(examples, name) } };
}

/** JSON Schema has words for a text that holds events, which hold JSON: a validator sees the text alone. */
function eventStream({ messages, examples }: Contract, output: DescMessage): object {
  const event = {
    type: "object",
    required: ["data"],
    properties: {
      event: {
        type: "string",
        const: "error",
        description: "On the last event of a stream that broke off; the others have no name.",
      },
      data: {
        type: "string",
        contentMediaType: "application/json",
        contentSchema: messages.ref(output, "reply"),
      },
    },
  };
  const schema = {
    type: "string",
    description: `Server-sent events: each \`data:\` line is a \`${output.name}\`; comments come while there is none.`,
    contentMediaType: "text/event-stream",
    contentSchema: { type: "array", items: event },
  };
  return { "text/event-stream": { schema, ...examplesOf(examples, output.name) } };
}

function examplesOf(all: readonly string[], name: string): object {
  const names = all.filter((candidate) => candidate === name || candidate.startsWith(`${name}.`));
  if (names.length === 0) return {};
  const refs = names.map((example) => [example, { $ref: `#/components/examples/${example}` }]);
  return { examples: Object.fromEntries(refs) };
}

/** The first sentence is the summary. */
function wordsOf(comment: string): { summary: string; description?: string } {
  const description = prose(comment);
  const [summary = ""] = description.split(/\.(?:\s|$)/, 1);
  return description === `${summary}.` ? { summary } : { summary, description };
}
