/** `llmgateway serve`: loads, listens, and drains on SIGTERM or SIGINT. */
import { ConfigError } from "./config/error.ts";
import { CatalogError } from "./cost/catalog-file.ts";
import { startGateway } from "./gateway.ts";
import { StoreError } from "./store/store.ts";

/** Resolves when the gateway has stopped. Exits with status 2 when the configuration is wrong, and 1 when the database cannot be used. */
export async function serve(): Promise<void> {
  try {
    const gateway = await startGateway({
      file: process.env.LLMGATEWAY_CONFIG || undefined,
      env: process.env,
    });
    await new Promise<void>((resolve) => {
      process.once("SIGTERM", resolve);
      process.once("SIGINT", resolve);
    });
    await gateway.close();
  } catch (error) {
    const isConfig = error instanceof ConfigError || error instanceof CatalogError;
    if (!isConfig && !(error instanceof StoreError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = isConfig ? 2 : 1;
  }
}

if (import.meta.main) await serve();
