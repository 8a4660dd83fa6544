/** Whose a model is, as far as its id or its ARN says. It knows no prices and no limits. */

export interface ModelName {
  /** Such as `anthropic`; empty when the id does not say, as that of an application's inference profile. */
  readonly vendor: string;
  /** Such as `claude-haiku-4-5-20251001-v1:0`. */
  readonly name: string;
}

/**
 * `vendor.model`, which a region may stand before (`us.anthropic.claude-…`) and
 * an ARN around (`arn:aws:bedrock:…:inference-profile/us.anthropic.claude-…`).
 */
const ID = /(?:^|\/)(?:(?:[a-z]{2}|us-gov|apac|global)\.)?([a-z0-9]+)\.([^/]+)$/;

export function modelName(id: string): ModelName {
  const [, vendor = "", name = ""] = ID.exec(id) ?? [];
  return { vendor, name };
}
