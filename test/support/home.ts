/** Where gateways' processes live, one after another: their configuration and their data outlast them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KEYS, providersAt } from "./emulated.ts";
import { type GatewayProcess, startProcess } from "./process.ts";

/** A folder for a gateway's configuration and its data, which goes when it is disposed of. */
export class Home implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "llmgateway-money-"));
  readonly data = join(this.folder, "data");
  private readonly emulatorUrl: string;

  constructor(emulatorUrl: string) {
    this.emulatorUrl = emulatorUrl;
  }

  /** @param config what there is besides the providers, which all are the emulator */
  start(config: object = {}, env: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> {
    const file = join(this.folder, "config.yaml");
    const providers = providersAt(this.emulatorUrl);
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ providers, ...config }));
    return startProcess({ ...KEYS, LLMGATEWAY_DATA_DIR: this.data, ...env, LLMGATEWAY_CONFIG: file }, [
      "--disable-warning=ExperimentalWarning",
    ]);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** A gateway that can be killed and started again at the same address, upon the same data. */
export class LastingGateway implements AsyncDisposable {
  readonly url: string;
  private readonly home: Home;
  private readonly env: Readonly<Record<string, string>>;
  private process: GatewayProcess;

  static async start(
    emulatorUrl: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<LastingGateway> {
    const home = new Home(emulatorUrl);
    return new LastingGateway(home, env, await home.start({}, env));
  }

  private constructor(home: Home, env: Readonly<Record<string, string>>, process: GatewayProcess) {
    this.home = home;
    this.env = env;
    this.process = process;
    this.url = process.url;
  }

  /** As a crash ends it. */
  async kill(): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }

  async startAgain(): Promise<void> {
    this.process = await this.home.start({}, { ...this.env, PORT: new URL(this.url).port });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.home[Symbol.dispose]();
  }
}
