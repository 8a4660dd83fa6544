/** Makes dist/console: the console as one script, beside its style, its icon and its page as they are. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "rolldown";

const root = join(import.meta.dirname, "..");
const source = join(root, "clients", "console");
const target = join(root, "dist", "console");
/** The page last, so that it is never there without what it names. */
const AS_THEY_ARE = ["style.css", "icon.svg", "index.html"];

/** A gateway that starts meanwhile finds every file whole, the old one or the new one. */
export async function buildConsole(): Promise<void> {
  const { output } = await build({
    input: join(source, "console.ts"),
    platform: "browser",
    write: false,
    output: { format: "es", minify: true },
  });
  mkdirSync(target, { recursive: true });
  place("console.js", output[0].code);
  for (const name of AS_THEY_ARE) place(name, readFileSync(join(source, name), "utf8"));
}

function place(name: string, content: string): void {
  const draft = join(target, `.${name}.${process.pid}`);
  writeFileSync(draft, content);
  renameSync(draft, join(target, name));
}

if (import.meta.main) await buildConsole();
