/** A real embedding model on the loopback, where it is installed: all-MiniLM-L6-v2, in the process of embedder.py. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";

const PYTHON = join(import.meta.dirname, "..", "..", "..", ".cache", "embedder", "bin", "python");

export interface Embedder extends AsyncDisposable {
  /** Of an API like OpenAI's. */
  readonly url: string;
  embed(texts: readonly string[]): Promise<Float32Array[]>;
}

/** @returns undefined where it is not installed, which on CI it has to be */
export async function startEmbedder(): Promise<Embedder | undefined> {
  if (!existsSync(PYTHON)) {
    if (process.env.CI === "true") throw new Error(`${PYTHON} is missing: .ci/run installs it`);
    console.log("no embedding model is installed in .cache/embedder: only words are compared");
    return undefined;
  }
  const child = spawn(PYTHON, [join(import.meta.dirname, "embedder.py")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [port] = await Promise.race([
    once(child.stdout, "data"),
    once(child, "exit").then(() => Promise.reject(new Error("the embedder did not start"))),
  ]);
  const url = `http://127.0.0.1:${Number(String(port))}/v1`;
  return {
    url,
    async embed(texts) {
      const body = JSON.stringify({ model: "minilm", input: texts });
      const reply = await fetch(`${url}/embeddings`, { method: "POST", body });
      const { data } = (await reply.json()) as { data: { embedding: number[] }[] };
      return data.map(({ embedding }) => Float32Array.from(embedding));
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, "exit");
    },
  };
}
