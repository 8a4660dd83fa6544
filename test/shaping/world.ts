/** A gateway with experiments in front of the emulator, and what its users ask of it. */
import {
  type Configuration,
  type GatewayUnderTest,
  type Surroundings,
  startBoth,
} from "../support/gateway.ts";

export interface ChatReply {
  readonly response: string;
  readonly provider: string;
  readonly model: string;
  readonly request_id: string;
  readonly cached: boolean;
  readonly experiment?: { readonly name: string; readonly variant: string };
  readonly cost: { readonly actual_pico_usd: string };
}

type Json = Record<string, unknown>;

export interface World extends GatewayUnderTest {
  chat(fields?: Json, headers?: Record<string, string>): Promise<ChatReply>;
  post(path: string, body?: Json, headers?: Record<string, string>): Promise<{ status: number; body: Json }>;
  /** How one experiment stands. */
  experiment(name: string): Promise<Told>;
}

/** As GetExperiments tells it. */
export interface Told {
  readonly state: string;
  readonly reason: string;
  readonly winner: string;
  readonly decided_by: string;
  readonly variants: readonly (Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly share: number;
    readonly requests: string;
    readonly cached: string;
    readonly stopped_because: string;
    readonly failure_rate: { readonly count: string; readonly mean?: number };
    readonly cost_usd: { readonly count: string; readonly mean?: number };
    readonly feedback: { readonly count: string; readonly mean?: number };
  })[];
  readonly shadows: readonly Readonly<Record<string, unknown>>[];
}

export async function startWorld(
  experiments: Json,
  given: Configuration = {},
  surroundings: Surroundings = {},
): Promise<World> {
  const both = await startBoth({ experiments, ...given }, surroundings);
  const ask = async (method: string, path: string, body?: Json, headers: Record<string, string> = {}) => {
    const response = await fetch(`${both.url}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, body: (await response.json()) as Json };
  };
  return Object.assign(both, {
    async chat(fields: Json = {}, headers: Record<string, string> = {}) {
      const asked = { messages: [{ role: "user", content: "What is a gateway?" }], ...fields };
      const { status, body } = await ask("POST", "/v1/gateway/chat", asked, headers);
      if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
      return body as unknown as ChatReply;
    },
    post: (path: string, body: Json = {}, headers: Record<string, string> = {}) =>
      ask("POST", path, body, headers),
    async experiment(name: string) {
      const { body } = await ask("GET", `/v1/gateway/experiments?name=${name}`);
      const [told] = (body.experiments ?? []) as Told[];
      if (!told) throw new Error(JSON.stringify(body));
      return told;
    },
  });
}

/** The plan's own example, with models that the emulator has. */
export const PLAIN = {
  gpt4_vs_claude: {
    enabled: true,
    variants: [
      { model: "openai/gpt-4o", weight: 50 },
      { model: "claude/claude-sonnet-5", weight: 50 },
    ],
  },
};
