/**
 * The server that Connect's conformance runner starts: the gateway's own listener and fronts. Standard input says
 * what to serve, standard output where it is.
 */
import { create, createRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from "../../gen/conformance/connectrpc/conformance/v1/server_compat_pb.ts";
import {
  ConformanceService,
  file_connectrpc_conformance_v1_service,
} from "../../gen/conformance/connectrpc/conformance/v1/service_pb.ts";
import { jsonOptions } from "../../src/rpc/connect.ts";
import { listenUngated, SETTINGS } from "../support/front.ts";
import { conformanceService } from "./service.ts";

/** Both messages are preceded by their length. */
const LENGTH_BYTES = 4;

const input: Buffer[] = await Array.fromAsync(process.stdin);
const request = fromBinary(ServerCompatRequestSchema, Buffer.concat(input).subarray(LENGTH_BYTES));
const pem = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const { port } = await listenUngated({
  ungated: (router) =>
    router.service(ConformanceService, conformanceService, {
      jsonOptions: {
        ...jsonOptions(SETTINGS.maxJsonDepth),
        // For what stands in an Any, of which the gateway's own contract has none.
        registry: createRegistry(file_connectrpc_conformance_v1_service),
      },
      // As before the gateway's own services.
      requestGate: () => {},
    }),
  tls: request.serverCreds && { cert: pem(request.serverCreds.cert), key: pem(request.serverCreds.key) },
  maxBodyBytes: request.messageReceiveLimit,
});

const response = toBinary(
  ServerCompatResponseSchema,
  create(ServerCompatResponseSchema, {
    host: "127.0.0.1",
    port,
    pemCert: request.serverCreds?.cert ?? new Uint8Array(),
  }),
);
const length = Buffer.alloc(LENGTH_BYTES);
length.writeUInt32BE(response.length);
process.stdout.write(Buffer.concat([length, response]));
