/** What the options of the commands about spend mean, as requests have it. It knows no RPC. */
import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { InputError } from "./input-error.ts";

export interface FilterOptions {
  readonly since?: Date;
  readonly until?: Date;
  readonly where: Readonly<Record<string, string>>;
}

const NAMES = ["provider", "model", "operation", "tenant", "key", "route"];

interface Filter {
  readonly since?: Timestamp;
  readonly until?: Timestamp;
  readonly tags: string[];
}

/** @throws InputError when `--where` names what there is not */
export function filterOf({ since, until, where }: FilterOptions): Filter & Record<string, unknown> {
  const wrong = Object.keys(where).find((name) => !NAMES.includes(name) && !/^tag:./.test(name));
  if (wrong !== undefined)
    throw new InputError(`--where: there is no "${wrong}"; there are ${NAMES.join(", ")} and tag:NAME`);
  const [empty] = NAMES.filter((name) => where[name] === "");
  if (empty !== undefined)
    throw new InputError(
      `--where: give ${empty} a value; tag:NAME alone may have none, for those without the tag`,
    );
  const columns = Object.entries(where).filter(([name]) => NAMES.includes(name));
  const tags = Object.entries(where).filter(([name]) => name.startsWith("tag:"));
  return {
    ...(since && { since: timestampFromDate(since) }),
    ...(until && { until: timestampFromDate(until) }),
    ...Object.fromEntries(columns),
    tags: tags.map(([name, value]) => `${name.slice("tag:".length)}=${value}`),
  };
}
