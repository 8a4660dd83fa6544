/** Every provider as the emulator speaks it, for a gateway's configuration, and keys that the emulator takes. */
export function providersAt(url: string) {
  return {
    openai: { base_url: `${url}/v1` },
    claude: { base_url: `${url}/anthropic` },
    gemini: { base_url: `${url}/v1beta` },
    mistral: { base_url: `${url}/mistral/v1` },
    vertex_ai: { base_url: url, project: "emulated", api_key_env: "VERTEX_AI_TOKEN" },
    bedrock: { base_url: `${url}/bedrock`, region: "us-east-1" },
  };
}

export const KEYS = {
  OPENAI_API_KEY: "emulated",
  ANTHROPIC_API_KEY: "emulated",
  GEMINI_API_KEY: "emulated",
  MISTRAL_API_KEY: "emulated",
  VERTEX_AI_TOKEN: "emulated",
  AWS_ACCESS_KEY_ID: "AKIAEMULATED",
  AWS_SECRET_ACCESS_KEY: "emulated",
};
