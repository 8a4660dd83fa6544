/** The generated messages of the configuration with every optional field set. */

/** What no default exists for: absent it means something of its own. */
type Optional = "tls" | "delay" | "maxCostPerRequest" | "parameters" | "start" | "stop" | "$unknown";

/** Lists of the well-known types are kept as they are, and so is what the contract has too: absent means something there. */
type WellKnown = { readonly $typeName: `google.protobuf.${string}` | `llmgateway.v1.${string}` };

export type Complete<T> = T extends string | number | bigint | boolean
  ? T
  : T extends WellKnown
    ? T
    : T extends (infer E)[]
      ? Complete<E>[]
      : { readonly [K in Exclude<keyof T, Optional>]-?: Complete<NonNullable<T[K]>> } & {
          readonly [K in Extract<keyof T, Optional>]?: T[K];
        };
