/** The Go tool, as the tests of the Go client run it. */
import { type ExecFileException, execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

export const CHECKOUT = join(import.meta.dirname, "..", "..", "..");
export const CLIENT = join(CHECKOUT, "clients", "go");
export const DRIVER = join(import.meta.dirname, "driver");

/** A cold build cache compiles gRPC and Protobuf first. */
export const WITHIN_MS = 300_000;

/** Whether Go is there. Says so when it is not; in CI that fails. */
export function hasGo(): boolean {
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
    return true;
  } catch (cause) {
    if (process.env.CI === "true")
      throw new Error("the Go client cannot be tested: there is no go", { cause });
    console.log("the Go client was not tested: there is no go");
    return false;
  }
}

/**
 * Runs it to its end and gives its output. Rejects with all that it printed when it fails.
 * @param env beside the environment's own
 */
export async function go(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  return command("go", cwd, args, { GOFLAGS: "-buildvcs=false -trimpath", GOWORK: "off", ...env });
}

export async function command(
  program: string,
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      cwd,
      env: { ...process.env, ...env },
      timeout: WITHIN_MS,
      maxBuffer: 1 << 26,
    });
    return stdout;
  } catch (cause) {
    const { stdout, stderr } = cause as ExecFileException;
    throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`, { cause });
  }
}
