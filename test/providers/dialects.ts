/** Every provider that has a dialect of its own, as the tests of all of them see it: a row each. */
import { bedrockDialect } from "../../src/providers/bedrock/dialect.ts";
import { claudeDialect } from "../../src/providers/claude/dialect.ts";
import { ANTHROPIC } from "../../src/providers/claude/traits.ts";
import type { Dialect } from "../../src/providers/dialect.ts";
import { geminiDialect } from "../../src/providers/gemini/dialect.ts";
import { geminiEmbeddings } from "../../src/providers/gemini/embeddings.ts";
import { geminiResource } from "../../src/providers/gemini/resource.ts";
import { mistralDialect } from "../../src/providers/mistral/dialect.ts";
import { openaiDialect } from "../../src/providers/openai/dialect.ts";
import { vertexResource } from "../../src/providers/vertex_ai/resource.ts";
import { MODEL as BEDROCK, BEDROCK_GOLDEN } from "./bedrock-golden.ts";
import type { CanonicalName } from "./canonical.ts";
import { MODEL as CLAUDE, CLAUDE_GOLDEN } from "./claude-golden.ts";
import { MODEL as GEMINI, GEMINI_GOLDEN } from "./gemini-golden.ts";
import { MODEL as MISTRAL, MISTRAL_GOLDEN } from "./mistral-golden.ts";
import { MODEL as OPENAI, OPENAI_GOLDEN } from "./openai-golden.ts";

export interface Spoken {
  readonly dialect: Dialect;
  /** The one that the golden requests are written for. */
  readonly model: string;
  readonly golden: Readonly<
    Record<CanonicalName, { readonly params: object } | { readonly refused: string }>
  >;
  /** Folders of what was recorded of it. */
  readonly recordings: readonly string[];
  /** Where the emulator speaks it. */
  readonly basePath: string;
}

/** By the kinds of the configuration. */
export const DIALECTS: Readonly<Record<string, Spoken>> = {
  openai: {
    dialect: openaiDialect({ maxTokensField: "max_completion_tokens", streamUsage: true }),
    model: OPENAI,
    golden: OPENAI_GOLDEN,
    recordings: ["openai", "azure-openai"],
    basePath: "/v1",
  },
  claude: {
    dialect: claudeDialect(ANTHROPIC),
    model: CLAUDE,
    golden: CLAUDE_GOLDEN,
    recordings: ["anthropic", "vertex-anthropic"],
    basePath: "",
  },
  gemini: {
    dialect: geminiDialect(geminiResource, () => geminiEmbeddings),
    model: GEMINI,
    golden: GEMINI_GOLDEN,
    recordings: ["gemini"],
    basePath: "/v1beta",
  },
  mistral: {
    dialect: mistralDialect,
    model: MISTRAL,
    golden: MISTRAL_GOLDEN,
    recordings: ["mistral"],
    basePath: "/mistral/v1",
  },
  vertex_ai: {
    dialect: geminiDialect(vertexResource, () => geminiEmbeddings),
    model: GEMINI,
    golden: GEMINI_GOLDEN,
    recordings: ["vertex"],
    basePath: "/v1/projects/test-project/locations/europe-west4",
  },
  bedrock: {
    dialect: bedrockDialect(),
    model: BEDROCK,
    golden: BEDROCK_GOLDEN,
    recordings: ["bedrock"],
    basePath: "",
  },
};
