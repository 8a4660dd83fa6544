/**
 * Writes gen/openapi/llmgateway.openapi.json from what protoc-gen-connect-openapi made of the protos, from
 * openapi.base.yaml, and from the gateway's own tables. The plugin's text is to be given as the only argument.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createFileRegistry, type DescMethod, type DescService, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { parse } from "yaml";
import { VERSION } from "../../src/version.ts";
import { failureResponses, KINDS } from "./openapi/failures.mts";
import { connectPaths, type Operation, type Paths, restPaths } from "./openapi/operations.mts";
import { messageSchemas, prose, type Schemas } from "./openapi/schemas.mts";

interface Document {
  readonly info: object;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Paths;
  readonly components: { readonly schemas: Schemas; readonly examples?: Readonly<Record<string, object>> };
}

interface PluginDocument extends Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** @param errorsPage the text of docs/errors.md */
export function openapi(
  services: readonly DescService[],
  plugin: PluginDocument,
  base: Document,
  errorsPage: string,
): Document {
  const methods = services.flatMap((service) => service.methods);
  const additions = base.components.schemas;
  const operations = Object.values(plugin.paths).flatMap((verbs) => Object.values(verbs));
  const restOf = ({ parent, name }: DescMethod) =>
    operations.find(({ operationId }) => operationId === `${parent.name}_${name}`);
  // Streams are described at their REST paths alone, where a request may have no body.
  const sent = methods.filter((method) => method.methodKind === "unary" || restOf(method)?.requestBody);
  const messages = messageSchemas(
    plugin.components.schemas,
    additions,
    sent.map(({ input }) => input),
    methods.map(({ output }) => output),
  );
  const contract = { services, messages, examples: Object.keys(base.components.examples ?? {}) };
  const descriptionOf = (method: DescMethod) => restOf(method)?.description ?? "";
  return {
    ...base,
    info: { ...base.info, version: VERSION },
    tags: [...plugin.tags.map((tag) => ({ ...tag, description: prose(tag.description) })), ...base.tags],
    paths: { ...restPaths(contract, plugin.paths), ...base.paths, ...connectPaths(contract, descriptionOf) },
    components: {
      ...base.components,
      responses: failureResponses(errorsPage),
      schemas: { ...additions, ...messages.schemas, FailureKind: failureKind },
    } as Document["components"],
  };
}

/** No enumeration, since later versions may know more. */
const failureKind = { type: "string", description: "What went wrong.", examples: KINDS };

if (import.meta.main) {
  const at = (path: string) => new URL(`../../${path}`, import.meta.url);
  const read = (path: string) => readFileSync(at(path), "utf8");
  const [made = ""] = process.argv.slice(2);
  const files = fromBinary(FileDescriptorSetSchema, readFileSync(at(".cache/llmgateway.binpb")));
  const services = [...createFileRegistry(files)].filter((desc) => desc.kind === "service");
  const document = openapi(
    services,
    JSON.parse(readFileSync(made, "utf8")),
    parse(read("ops/generate/openapi.base.yaml")),
    read("docs/errors.md"),
  );
  mkdirSync(at("gen/openapi/"), { recursive: true });
  writeFileSync(at("gen/openapi/llmgateway.openapi.json"), `${JSON.stringify(document, null, 2)}\n`);
}
