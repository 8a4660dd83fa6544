/** The Go modules of this working tree as a module proxy on disk serves them, once their versions are tagged. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { CHECKOUT } from "./go.ts";

const FOLDERS = ["gen/go", "clients/go"];

/**
 * Writes them below `folder`, from what git would commit now, and gives the proxy's address.
 * @param version such as `v0.1.0`
 */
export function publish(folder: string, version: string): string {
  const proxy = join(folder, "proxy");
  const tree = treeOfWorkingTree(folder);
  for (const path of FOLDERS) {
    const goMod = readFileSync(join(CHECKOUT, path, "go.mod"), "utf8");
    const name = /^module (\S+)$/m.exec(goMod)?.[1] ?? "";
    const versions = join(proxy, name, "@v");
    mkdirSync(versions, { recursive: true });
    writeFileSync(join(versions, "list"), `${version}\n`);
    writeFileSync(join(versions, `${version}.info`), JSON.stringify({ Version: version }));
    writeFileSync(join(versions, `${version}.mod`), goMod);
    const zip = join(versions, `${version}.zip`);
    git(folder, [
      "archive",
      "--format=zip",
      `--prefix=${name}@${version}/`,
      `--output=${zip}`,
      `${tree}:${path}`,
    ]);
  }
  return pathToFileURL(proxy).href;
}

/** In an index and an object store of its own, so that the repository's stay as they are. */
function treeOfWorkingTree(folder: string): string {
  git(folder, ["add", "--all", "--", ...FOLDERS]);
  return git(folder, ["write-tree"]);
}

function git(folder: string, args: readonly string[]): string {
  const objects = join(folder, "objects");
  mkdirSync(objects, { recursive: true });
  const common = execFileSync("git", ["rev-parse", "--path-format=absolute", "--git-common-dir"], {
    cwd: CHECKOUT,
    encoding: "utf8",
  });
  const env = {
    ...process.env,
    GIT_INDEX_FILE: join(folder, "index"),
    GIT_OBJECT_DIRECTORY: objects,
    GIT_ALTERNATE_OBJECT_DIRECTORIES: join(common.trim(), "objects"),
  };
  return execFileSync("git", args, { cwd: CHECKOUT, encoding: "utf8", env }).trim();
}
