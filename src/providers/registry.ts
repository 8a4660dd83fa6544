/** The kinds of provider, as a table. */
import type { AttemptCall, Service } from "../core/call.ts";
import { Failure } from "../core/failure.ts";
import { embedded } from "../core/reply.ts";
import { bedrock } from "./bedrock/provider.ts";
import { claude } from "./claude/provider.ts";
import { gemini } from "./gemini/provider.ts";
import type { Kind, ProviderSettings, Working } from "./kind.ts";
import { mistral } from "./mistral/provider.ts";
import { mockProvider } from "./mock.ts";
import { openai, openaiCompatible } from "./openai/provider.ts";
import type { Provider } from "./provider.ts";
import { vertexAi } from "./vertex_ai/provider.ts";

const KINDS: Readonly<Record<string, Kind>> = {
  openai,
  gemini,
  claude,
  mistral,
  bedrock,
  vertex_ai: vertexAi,
  openai_compatible: openaiCompatible,
  mock: {
    whyOff: () => "",
    build: () => ({
      serve: mockProvider(),
      rehearse: async () => embedded([]),
      batches: false,
      availability: async () => ({ status: "available", reason: "" }),
      close: async () => {},
    }),
  },
};

export function createProvider(settings: ProviderSettings): Provider {
  const { name, config } = settings;
  const kind = KINDS[config.kind];
  if (!kind)
    throw new Failure("provider_unavailable", `${name}: there is no kind of provider "${config.kind}"`);
  const off = config.enabled === false ? "switched off in the configuration" : kind.whyOff(settings);
  return { name, kind: config.kind, off, ...(off ? closed(name, off) : kind.build(settings)) };
}

function closed(name: string, reason: string): Working {
  const serve: Service<AttemptCall> = async () => {
    throw new Failure("provider_unavailable", `the provider ${name} is off: ${reason}`);
  };
  const availability = async () => ({ status: "off", reason }) as const;
  return { serve, rehearse: serve, batches: false, availability, close: async () => {} };
}
