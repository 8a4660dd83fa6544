/** Programs in Go: our client over its protocols, and the plain stubs of grpc-go. All are one driver, built once. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DRIVER, go } from "../go/go.ts";
import { isInstalled, outputOf } from "./process.ts";
import type { MatrixClient, Scenario, Told } from "./scenarios.ts";

export function goClients(): MatrixClient[] {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-driver-"));
  const program = join(folder, "driver");
  return ["connect", "grpc", "grpc-web", "grpc-go"].map((client) => ({
    name: client === "grpc-go" ? "plain grpc-go" : `Go client, ${client}`,
    missing: () => (isInstalled("go", "version") ? undefined : "go"),
    prepare: async () => {
      if (!existsSync(program)) await go(DRIVER, ["build", "-o", program, "."]);
    },
    run: (scenario, url) => run(program, client, scenario, url),
    close: async () => rmSync(folder, { recursive: true, force: true }),
  }));
}

async function run(program: string, client: string, scenario: Scenario, url: string): Promise<Told> {
  const printed = await outputOf(program, ["--url", url, "--client", client, "--scenario", scenario]);
  const line = JSON.parse(printed);
  if (!line.ok) throw new Error(line.detail);
  return {
    requestId: line.request_id,
    text: line.text,
    tool: line.tool_name && { name: line.tool_name, arguments: line.tool_arguments },
    costPicoUsd: line.cost_pico_usd,
    kind: line.kind,
    code: line.code,
    retryAfterMs: line.retry_after_ms,
  };
}
