/** The gateway's version, as its package names it. */
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";

export const VERSION: string = JSON.parse(
  readFileSync(findPackageJSON("..", import.meta.url) ?? "", "utf8"),
).version;
