/** Makes dist/console: the console as one script, beside its page, its style and its icon as they are. */
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "rolldown";

const root = join(import.meta.dirname, "..");
const source = join(root, "clients", "console");
const target = join(root, "dist", "console");

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const name of ["index.html", "style.css", "icon.svg"])
  copyFileSync(join(source, name), join(target, name));
await build({
  input: join(source, "console.ts"),
  platform: "browser",
  output: { file: join(target, "console.js"), format: "es", minify: true },
});
