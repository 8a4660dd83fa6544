/** The SDK's types as they are on the wire, where bytes are base64 and any field may be missing. */

export type OnWire<T> = T extends Uint8Array
  ? string
  : T extends readonly (infer E)[]
    ? OnWire<E>[]
    : T extends object
      ? { [K in keyof T]: OnWire<T[K]> }
      : T;

/** For what is read: its fields may be missing, or be null. */
export type Received<T> = { readonly [K in keyof T]?: OnWire<T[K]> | null };
