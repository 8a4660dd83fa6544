/** How messages are written as JSON, wherever they leave the gateway. */

/** The contract's JSON: proto names; zeros written out, but for what has explicit presence. */
export const JSON_OPTIONS = { useProtoFieldName: true, alwaysEmitImplicit: true } as const;
