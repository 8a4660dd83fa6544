/** What is wrong with the configuration, for the person who wrote it. Holds no value that could be a secret. */

export interface Problem {
  /** The file, or the environment variable. */
  readonly source: string;
  /** Path in the file, such as `providers.openai.base_url`; empty for the whole source. */
  readonly path: string;
  /** What is wrong, and what would be right. */
  readonly description: string;
}

export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const lines = problems.map(({ source, path, description }) =>
      path === "" ? `  ${source}: ${description}` : `  ${source}: ${path}: ${description}`,
    );
    super([`the configuration cannot be used:`, ...lines].join("\n"));
    this.problems = problems;
  }
}
