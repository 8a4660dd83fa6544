/** `grpc.health.v1.Health`, for probes and clients that speak gRPC. It tells what readiness says, and judges nothing. */
import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/ts/grpc/health/v1/health_pb.ts";
import type { Readiness } from "../core/readiness.ts";

export interface HealthOptions {
  /** What may be asked about; the empty name stands for all of it. */
  readonly services: readonly DescService[];
  readonly readiness: Readiness;
  /** Ends those who watch, so that they do not hold up the gateway's end. */
  readonly closing: AbortSignal;
}

export function serveHealth(router: ConnectRouter, { services, readiness, closing }: HealthOptions): void {
  const names = ["", ...services.map(({ typeName }) => typeName)];
  const overall = () => (readiness.notReady ? Status.NOT_SERVING : Status.SERVING);
  const statusOf = (service: string) => (names.includes(service) ? overall() : Status.SERVICE_UNKNOWN);
  router.service(
    Health,
    {
      check({ service }) {
        const status = statusOf(service);
        if (status !== Status.SERVICE_UNKNOWN) return { status };
        throw new ConnectError(`there is no service "${service}"`, Code.NotFound);
      },
      list: () => ({ statuses: Object.fromEntries(names.map((name) => [name, { status: overall() }])) }),
      async *watch({ service }, { signal }) {
        let told: Status | undefined;
        for (;;) {
          const status = statusOf(service);
          if (status === told) {
            signal.throwIfAborted();
            await readiness.changed(signal);
          } else {
            told = status;
            yield { status };
          }
        }
      },
    },
    { shutdownSignal: closing },
  );
}
