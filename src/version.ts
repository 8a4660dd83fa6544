/** What the gateway knows of its package: the version, and where the files are that come with it. */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";

const MANIFEST = findPackageJSON("..", import.meta.url) ?? "";

export const VERSION: string = JSON.parse(readFileSync(MANIFEST, "utf8")).version;

/** Path of a file of the package, which is not equally far away from the sources and from the build. */
export function bundled(...path: readonly string[]): string {
  return join(dirname(MANIFEST), ...path);
}
