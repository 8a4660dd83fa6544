/** What the cache's layer goes by, from a configuration as an operator writes it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { Memory } from "../../src/cache/memory.ts";
import { ALONE } from "../../src/cache/turns.ts";
import { type Caching, cachingOf } from "../../src/caching.ts";
import { loadConfig } from "../../src/config/load.ts";
import { loadCatalog } from "../../src/cost/catalog.ts";
import type { FamilyRule } from "../../src/layers/cache.ts";
import { directoryOf, familiesOf } from "../../src/models.ts";
import type { ChatInit } from "../support/callers.ts";
import { VirtualClock } from "../support/clock.ts";

const CATALOG = JSON.stringify({
  version: "test",
  last_updated: "2026-01-01",
  providers: {
    openai: {
      "gpt-4o": { input_per_1k_tokens: 1, output_per_1k_tokens: 1, aliases: ["gpt-4o-2024-11-20"] },
      "gpt-4o-mini": { input_per_1k_tokens: 1, output_per_1k_tokens: 1 },
    },
  },
});

export function cachingFrom(yaml: string): Caching {
  const folder = mkdtempSync(join(tmpdir(), "llmgateway-cache-"));
  const file = join(folder, "gateway.yaml");
  writeFileSync(file, yaml);
  try {
    const config = loadConfig({ file, env: {} });
    const catalog = loadCatalog(CATALOG, "prices.json");
    const providers = new Map(Object.keys(config.providers).map((name) => [name, { off: "" } as never]));
    const clock = new VirtualClock();
    return cachingOf(config, {
      directory: directoryOf(config, catalog, providers),
      familyOf: familiesOf(config, catalog),
      answers: new Memory(clock, { maxEntries: 10, maxBytes: 1_000_000 }),
      turns: ALONE,
      clock,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The rule for such a request; undefined for one that the router refuses. */
export function ruleFor(caching: Caching, request: ChatInit): FamilyRule | undefined {
  return caching.ruleOf(create(ChatRequestSchema, request));
}
