/** `llmgateway emulate`: the emulator as a program of its own. */
import type { ChaosProfile } from "../../src/emulator/fault.ts";
import { startEmulator } from "../../src/emulator/server.ts";
import { InputError } from "./input-error.ts";

export interface EmulateOptions {
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  readonly chaos: number;
  readonly profile: ChaosProfile;
  readonly fault?: string;
  readonly firstTokenMs: number;
  readonly paceMs: number;
  readonly batchMs: number;
}

/** Resolves when it was told to stop. */
export async function emulate(options: EmulateOptions): Promise<void> {
  if (options.fault !== undefined && options.chaos === 0)
    throw new InputError(
      "--fault says what fails of --chaos, which is 0; give --chaos 1 to have every request fail",
    );
  const emulator = await startEmulator(options);
  process.stdout.write(
    [
      `emulating OpenAI at ${emulator.url}/v1, and whoever speaks like it below any path`,
      `  OPENAI_BASE_URL=${emulator.url}/v1 OPENAI_API_KEY=emulated llmgateway serve`,
      `emulating Anthropic at ${emulator.url}/anthropic`,
      `  ANTHROPIC_BASE_URL=${emulator.url}/anthropic ANTHROPIC_API_KEY=emulated llmgateway serve`,
      `emulating Mistral at ${emulator.url}/mistral/v1`,
      `  MISTRAL_BASE_URL=${emulator.url}/mistral/v1 MISTRAL_API_KEY=emulated llmgateway serve`,
      `emulating Bedrock at ${emulator.url}/bedrock`,
      `  AWS_ENDPOINT_URL_BEDROCK_RUNTIME=${emulator.url}/bedrock AWS_REGION=us-east-1 AWS_BEARER_TOKEN_BEDROCK=emulated llmgateway serve`,
      `emulating Gemini at ${emulator.url}/v1beta`,
      `  GEMINI_BASE_URL=${emulator.url}/v1beta GEMINI_API_KEY=emulated llmgateway serve`,
      `emulating Vertex AI at ${emulator.url}, as base_url of a provider of kind vertex_ai with an api_key_env`,
      `  faults by a directive in the last user message, such as [[emulate: status=429 retry_after=2]]`,
      `  what it metered: curl ${emulator.url}/emulator/meter?limit=10`,
      `  to find a request there again, mark it: [[emulate: mark=anything]]`,
      "",
    ].join("\n"),
  );
  await new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  await emulator.close();
}
