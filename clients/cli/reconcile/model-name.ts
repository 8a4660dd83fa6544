/** Names of one model, whoever writes it, as one: the ledger, an API, a bill. It knows no model. */

/** Without its publisher, region, date, version and punctuation: `us.anthropic.claude-sonnet-4-20250514-v1:0` is `claudesonnet4`. */
export function modelKey(name: string): string {
  return name
    .toLowerCase()
    .replace(/\(.*?\)/g, "")
    .replace(/^(?:models\/|publishers\/[^/]+\/models\/)/, "")
    .replace(
      /^(?:(?:us|eu|apac|jp|au|ca|global)\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen)\./,
      "",
    )
    .replace(/[-@ ](?:20\d{6}|20\d\d-\d\d-\d\d)(?=$|[-@: ])/, "")
    .replace(/-v\d+(?::\d+)?(?::\w+)?$/, "")
    .replace(/-latest$/, "")
    .replace(/[^a-z0-9]/g, "");
}
