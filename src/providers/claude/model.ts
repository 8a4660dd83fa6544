/** What a Claude model can be told, as far as its name says which generation it is of. It knows no prices and no limits. */

/** What is not known of a model is taken to be possible: then the provider is the judge. */
export interface ModelTraits {
  readonly thinks: boolean;
  /** `thinking: adaptive` with an effort. */
  readonly adaptive: boolean;
  /** `thinking: enabled` with a budget of tokens. */
  readonly budget: boolean;
  /** `temperature`, `top_p` and `top_k`. */
  readonly sampling: boolean;
  /** `temperature` and `top_p` together. */
  readonly bothSamplers: boolean;
}

const UNKNOWN: ModelTraits = {
  thinks: true,
  adaptive: true,
  budget: true,
  sampling: true,
  bothSamplers: true,
};

/**
 * Thinking began with 3.7; it is adaptive from 4.6 on, and by a budget of tokens
 * only before 4.7, which also ended sampling parameters; since 4.1 one of
 * `temperature` and `top_p` is refused beside the other.
 * https://platform.claude.com/docs/en/build-with-claude/thinking
 */
export function traitsOf(model: string): ModelTraits {
  const generation = generationOf(model);
  if (generation === undefined) return UNKNOWN;
  return {
    thinks: generation >= 307,
    adaptive: generation >= 406,
    budget: generation < 407,
    sampling: generation < 407,
    bothSamplers: generation < 401,
  };
}

/** `claude-3-7-sonnet-20250219`, and with the family in front since the fourth: `claude-sonnet-4-5@20250929`. */
const NAMES: readonly RegExp[] = [
  /claude-(\d)(?:-(\d))?-[a-z]/,
  /claude-[a-z]+-(\d{1,2})(?!\d)(?:-(\d{1,2})(?!\d))?/,
];

/** 405 for 4.5, on every platform that has it under a name of its own. */
function generationOf(model: string): number | undefined {
  for (const name of NAMES) {
    const [, major, minor = "0"] = name.exec(model) ?? [];
    if (major !== undefined) return Number(major) * 100 + Number(minor);
  }
  return undefined;
}
