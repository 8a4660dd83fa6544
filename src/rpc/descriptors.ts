/** Finds the file that declares something, by its name. It knows descriptors, and no protocol to ask for them. */
import type { DescFile } from "@bufbuild/protobuf";
import type {
  DescriptorProto,
  EnumDescriptorProto,
  FieldDescriptorProto,
  FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";

export interface Descriptors {
  /** By the paths under which they are imported. */
  readonly files: ReadonlyMap<string, DescFile>;
  /** The file of each message, field, oneof, enum, enum value, extension, service and method, by its full name. */
  readonly symbols: ReadonlyMap<string, DescFile>;
  /** The file of each extension, by the message that it extends and its number. */
  readonly extensions: ReadonlyMap<string, ReadonlyMap<number, DescFile>>;
}

/** Takes in all that the files import, directly or not. */
export function indexDescriptors(roots: Iterable<DescFile>): Descriptors {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  const extensions = new Map<string, Map<number, DescFile>>();
  for (const file of withImports(roots)) {
    files.set(file.proto.name, file);
    for (const symbol of symbolsOf(file.proto)) symbols.set(symbol, file);
    for (const { extendee, number } of extensionsOf(file.proto)) {
      const extended = extendee.replace(/^\./, "");
      const numbers = extensions.get(extended) ?? new Map<number, DescFile>();
      extensions.set(extended, numbers.set(number, file));
    }
  }
  return { files, symbols, extensions };
}

/** The files, each before what it imports, and each once. */
export function withImports(roots: Iterable<DescFile>): Set<DescFile> {
  const files = new Set(roots);
  // A set's iterator comes to what is added on the way.
  for (const file of files) for (const imported of file.dependencies) files.add(imported);
  return files;
}

type Named = { readonly name: string };

function* symbolsOf(file: FileDescriptorProto): Generator<string> {
  for (const message of file.messageType) yield* symbolsOfMessage(file.package, message);
  for (const type of file.enumType) yield* symbolsOfEnum(file.package, type);
  for (const extension of file.extension) yield nameIn(file.package, extension);
  for (const service of file.service) {
    const name = nameIn(file.package, service);
    yield name;
    for (const method of service.method) yield nameIn(name, method);
  }
}

function* symbolsOfMessage(scope: string, message: DescriptorProto): Generator<string> {
  const name = nameIn(scope, message);
  yield name;
  for (const nested of message.nestedType) yield* symbolsOfMessage(name, nested);
  for (const type of message.enumType) yield* symbolsOfEnum(name, type);
  for (const member of [...message.field, ...message.oneofDecl, ...message.extension]) {
    yield nameIn(name, member);
  }
}

/** Values are named beside their enum, not inside it. */
function* symbolsOfEnum(scope: string, type: EnumDescriptorProto): Generator<string> {
  yield nameIn(scope, type);
  for (const value of type.value) yield nameIn(scope, value);
}

function nameIn(scope: string, { name }: Named): string {
  return scope ? `${scope}.${name}` : name;
}

function* extensionsOf(declaring: FileDescriptorProto | DescriptorProto): Generator<FieldDescriptorProto> {
  yield* declaring.extension;
  const nested = "messageType" in declaring ? declaring.messageType : declaring.nestedType;
  for (const message of nested) yield* extensionsOf(message);
}
