/** `llmgateway serve`: loads, listens, and drains on SIGTERM or SIGINT. */
import { ConfigError } from "./config/error.ts";
import { startGateway } from "./gateway.ts";

/** Resolves when the gateway has stopped. Exits with status 2 when the configuration is wrong. */
export async function serve(): Promise<void> {
  try {
    const gateway = await startGateway({ file: process.env.LLMGATEWAY_CONFIG, env: process.env });
    await new Promise<void>((resolve) => {
      process.once("SIGTERM", resolve);
      process.once("SIGINT", resolve);
    });
    await gateway.close();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}

if (import.meta.main) await serve();
