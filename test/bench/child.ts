/** One server in a process of its own, so that its CPU can be told from the others'. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "../../src/gateway.ts";
import { startBare } from "./bare.ts";
import { startUpstream } from "./upstream.ts";

const [role, upstream = ""] = process.argv.slice(2);

process.send?.({ url: await start() });
process.on("disconnect", () => process.exit());
process.on("message", () => process.send?.({ cpuMicros: cpuMicros() }));

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

async function start(): Promise<string> {
  if (role === "upstream") return startUpstream();
  if (role === "bare") return startBare(upstream);
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-bench-"));
  const file = join(folder, "config.yaml");
  const cache = role === "cached" ? "cache: {enabled: true}\n" : "";
  writeFileSync(file, `${cache}providers:\n  openai:\n    base_url: ${upstream}/v1\n`);
  const env = {
    PORT: "0",
    OPENAI_API_KEY: "bench",
    LOG_LEVEL: "info",
    LLMGATEWAY_DATA_DIR: join(folder, "data"),
  };
  return (await startGateway({ file, env })).url;
}
