/** A real PostgreSQL of its own, in a folder that goes with it. It is never downloaded. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Client } from "pg";

export interface PostgresServer {
  /** An empty database of its own, as `DATABASE_URL` names it. */
  createDatabase(): Promise<string>;
  /** Ends every connection but the one that does so. */
  dropConnections(): Promise<void>;
  /** Ends the server and starts it anew, at the same place and with the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Where Debian keeps what is not for users to call. */
const DEBIAN = "/usr/lib/postgresql";
const READY_WITHIN_MS = 15_000;

/** Whether to test on it; where there is none, says once that `what` is not tested. Under CI there must be one. */
export function hasPostgres(what: string): boolean {
  if (binaryFolder() !== undefined || process.env.CI === "true") return true;
  console.warn(`${what} is not tested: PostgreSQL is not installed`);
  return false;
}

export async function startPostgres(): Promise<PostgresServer> {
  const folder = binaryFolder();
  if (!folder) throw new Error(`initdb is neither on the PATH nor below ${DEBIAN}`);
  const data = mkdtempSync(join(tmpdir(), "llmgateway-postgres-"));
  const run = asNobody(data);
  const locale = ["-E", "UTF8", "--locale=C"];
  const [initdb = "", ...options] = run(join(folder, "initdb"), "-D", data, "-U", "test", "-N", ...locale);
  execFileSync(initdb, options, { stdio: "ignore" });
  const settings = { listen_addresses: "", unix_socket_directories: data, fsync: "off" };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [server = "", ...words] = run(join(folder, "postgres"), "-D", data, ...flags);
  let child = spawn(server, words, { stdio: "ignore" });
  const end = async () => {
    const exited = once(child, "exit");
    // It waits for nobody.
    child.kill("SIGINT");
    await exited;
  };
  const url = (name: string) => `postgres://test@localhost/${name}?host=${data}`;
  await ready(child, url("postgres"));
  let databases = 0;
  return {
    async createDatabase() {
      const name = `test_${++databases}`;
      await query(url("postgres"), `CREATE DATABASE ${name}`);
      return url(name);
    },
    async dropConnections() {
      await query(
        url("postgres"),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL",
      );
    },
    async restart() {
      await end();
      child = spawn(server, words, { stdio: "ignore" });
      await ready(child, url("postgres"));
    },
    async stop() {
      await end();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

async function query(connectionString: string, text: string): Promise<void> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  for (const endMs = Date.now() + READY_WITHIN_MS; ; await wait(50)) {
    if (child.exitCode !== null) throw new Error(`PostgreSQL ended with ${child.exitCode}`);
    try {
      return await query(url, "SELECT 1");
    } catch (error) {
      if (Date.now() > endMs) throw error;
    }
  }
}

function binaryFolder(): string | undefined {
  const installed = existsSync(DEBIAN)
    ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, "bin"))
    : [];
  const folders = [...installed, ...(process.env.PATH ?? "").split(delimiter)];
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
}

/** It refuses to work for root, who runs tests in containers; then it works as nobody. */
function asNobody(data: string): (...words: string[]) => string[] {
  if (process.getuid?.() !== 0) return (...words) => words;
  const idOf = (flag: string) => Number(execFileSync("id", [flag, "nobody"], { encoding: "utf8" }));
  const [user, group] = [idOf("-u"), idOf("-g")];
  chownSync(data, user, group);
  return (...words) => ["setpriv", `--reuid=${user}`, `--regid=${group}`, "--clear-groups", ...words];
}
