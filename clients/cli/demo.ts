/** `npm run demo`: an emulated provider, the gateway in front of it, and three calls that show what they cost. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmulator } from "../../src/emulator/server.ts";
import { type Gateway, startGateway } from "../../src/gateway.ts";
import { chat } from "./chat.ts";

const DEFAULT_PORT = "8080";

/** Runs until it is told to stop; gives the exit status. */
export async function demo(): Promise<number> {
  const emulator = await startEmulator();
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-demo-"));
  const file = join(folder, "config.yaml");
  writeFileSync(file, configFor(emulator.url));
  const env = {
    PORT: process.env.PORT || DEFAULT_PORT,
    OPENAI_API_KEY: "emulated",
    ANTHROPIC_API_KEY: "emulated",
    MISTRAL_API_KEY: "emulated",
    AWS_REGION: "us-east-1",
    AWS_BEARER_TOKEN_BEDROCK: "emulated",
    GEMINI_API_KEY: "emulated",
    VERTEX_AI_TOKEN: "emulated",
    LLMGATEWAY_WEBHOOK_SECRET: `whsec_${randomBytes(32).toString("base64")}`,
    LLMGATEWAY_DATA_DIR: join(folder, "data"),
    // The call that is meant to fail would be told twice.
    LOG_LEVEL: process.env.LOG_LEVEL || "error",
  };
  try {
    const gateway = await startGateway({ file, env });
    await show(gateway);
    say([
      "",
      `serving at ${gateway.url} (the provider is emulated at ${emulator.url}); Ctrl-C stops`,
      ...tryThese(gateway.url),
    ]);
    await stopped();
    await gateway.close();
    return 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    process.stderr.write(`port ${env.PORT} is in use; choose another one: PORT=8081 npm run demo\n`);
    return 1;
  } finally {
    await emulator.close();
    rmSync(folder, { recursive: true });
  }
}

/** Every provider that the emulator speaks like; Vertex AI's token is none of Google's. */
function configFor(emulatorUrl: string): string {
  return `default_model: openai/gpt-4o-mini
providers:
  openai:
    base_url: ${emulatorUrl}/v1
  claude:
    base_url: ${emulatorUrl}/anthropic
  mistral:
    base_url: ${emulatorUrl}/mistral/v1
  bedrock:
    base_url: ${emulatorUrl}/bedrock
  gemini:
    base_url: ${emulatorUrl}/v1beta
  vertex_ai:
    base_url: ${emulatorUrl}
    project: emulated
    api_key_env: VERTEX_AI_TOKEN
jobs:
  webhooks:
    # The first is that of the examples, and does not exist; the others are this machine.
    allowed_hosts: [internal.service, "localhost:*", "127.0.0.1:*"]
    allowed_networks: [127.0.0.0/8, ::1/128]
    allow_http: true
`;
}

async function show({ url }: Gateway): Promise<void> {
  const options = { url, model: "openai", modelVersion: "gpt-4o", stream: false, json: false };
  say(['$ llmgateway chat "What is a gateway?" --model openai/gpt-4o']);
  await chat("What is a gateway?", options);
  say(["", '$ llmgateway chat "Tell me a story" --model vertex_ai --stream']);
  await chat("Tell me a story", { ...options, model: "vertex_ai", modelVersion: "", stream: true });
  say([
    "",
    '$ llmgateway chat "[[emulate: status=429 retry_after=2]] Hello" --model openai/gpt-4o   # the provider refuses',
  ]);
  await chat("[[emulate: status=429 retry_after=2]] Hello", options);
}

function tryThese(url: string): string[] {
  const body = `{"messages": [{"role": "user", "content": "Hello"}], "model": "openai/gpt-4o"}`;
  const { host } = new URL(url);
  return [
    "",
    `  open ${url}/ for the console, a page to chat by`,
    `  curl ${url}/v1/gateway/chat -H 'content-type: application/json' -d '${body}'`,
    `  curl -N ${url}/v1/gateway/stream -H 'content-type: application/json' -d '${body}'`,
    `  curl ${url}/llmgateway.v1.GatewayService/Chat -H 'content-type: application/json' -d '${body}'`,
    `  grpcurl -plaintext -d '${body}' ${host} llmgateway.v1.GatewayService/Chat`,
    `  curl ${url}/v1/gateway/jobs -H 'content-type: application/json' -d '${body}'`,
    `  curl ${url}/v1/gateway/status`,
    `  curl ${url}/v1/gateway/metrics`,
  ];
}

function say(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}

function stopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
}
