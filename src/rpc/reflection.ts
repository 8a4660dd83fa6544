/**
 * gRPC server reflection, of either version: clients such as grpcurl ask for the contract instead of having
 * it. It knows the protocol; what there is to tell is what the router serves.
 */
import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter, type HandlerContext } from "@connectrpc/connect";
import * as v1 from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import * as v1alpha from "../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { type Descriptors, indexDescriptors, withImports } from "./descriptors.ts";

/** Either version: they differ in nothing but their package. */
type Request = v1.ServerReflectionRequest | v1alpha.ServerReflectionRequest;

/**
 * What is mounted later is not told.
 *
 * @param closing ends idle streams, which would hold up the gateway's end
 */
export function serveReflection(router: ConnectRouter, closing: AbortSignal): void {
  const versions = [v1.ServerReflection, v1alpha.ServerReflection];
  const services = new Set([...router.handlers.map(({ service }) => service), ...versions]);
  const names = [...services].map(({ typeName }) => typeName).sort();
  const descriptors = indexDescriptors([...services].map(({ file }) => file));
  async function* serverReflectionInfo<R extends Request>(
    requests: AsyncIterable<R>,
    context: HandlerContext,
  ) {
    const sent = new Set<DescFile>();
    for await (const request of untilAborted(requests, context.signal)) {
      yield {
        validHost: request.host,
        originalRequest: request,
        messageResponse: answer(request, names, descriptors, sent),
      };
    }
  }
  router.service(v1.ServerReflection, { serverReflectionInfo }, { shutdownSignal: closing });
  router.service(v1alpha.ServerReflection, { serverReflectionInfo }, { shutdownSignal: closing });
}

function answer(
  { messageRequest: { case: asked, value } }: Request,
  names: readonly string[],
  { files, symbols, extensions }: Descriptors,
  sent: Set<DescFile>,
) {
  switch (asked) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: names.map((name) => ({ name })) } } as const;
    case "fileByFilename":
      return fileResponse(files.get(value), `there is no file "${value}"`, sent);
    case "fileContainingSymbol":
      return fileResponse(symbols.get(value), `there is no symbol "${value}"`, sent);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = value;
      const file = extensions.get(containingType)?.get(extensionNumber);
      return fileResponse(file, `"${containingType}" has no extension ${extensionNumber}`, sent);
    }
    case "allExtensionNumbersOfType": {
      const numbers = extensions.get(value);
      if (!numbers && !symbols.has(value)) return failure(Code.NotFound, `there is no message "${value}"`);
      const extensionNumber = [...(numbers?.keys() ?? [])].sort((a, b) => a - b);
      return {
        case: "allExtensionNumbersResponse",
        value: { baseTypeName: value, extensionNumber },
      } as const;
    }
    default:
      return failure(Code.InvalidArgument, "the request asks for nothing that is known here");
  }
}

/** The file itself, and of what it imports that which the stream has not brought yet. */
function fileResponse(file: DescFile | undefined, otherwise: string, sent: Set<DescFile>) {
  if (!file) return failure(Code.NotFound, otherwise);
  const wanted = [...withImports([file])].filter((one) => one === file || !sent.has(one));
  for (const one of wanted) sent.add(one);
  const fileDescriptorProto = wanted.map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } } as const;
}

function failure(errorCode: Code, errorMessage: string) {
  return { case: "errorResponse", value: { errorCode, errorMessage } } as const;
}

/** @throws the signal's reason, also while the caller is silent */
async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  for (;;) {
    signal.throwIfAborted();
    const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
      const abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      iterator
        .next()
        .then(resolve, reject)
        .finally(() => signal.removeEventListener("abort", abort));
    });
    if (next.done) return;
    yield next.value;
  }
}
