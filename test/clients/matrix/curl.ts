/** curl, in plain REST with server-sent events, and in Connect's JSON, by POST and by GET. */
import { expect } from "vitest";
import { envelope } from "../../support/grpc.ts";
import { envelopes, isInstalled, lines, outputOf, type Program, start } from "./process.ts";
import { DEADLINE_MS, type MatrixClient, REQUESTS, type Scenario } from "./scenarios.ts";
import { eventOf, type Partly, toldByError, toldByEvents, toldByReply } from "./told.ts";

const missing = () => (isInstalled("curl") ? undefined : "curl");

export const curlRest: MatrixClient = {
  name: "curl, REST and SSE",
  missing,
  async run(scenario, url) {
    const curl = requestOf(scenario);
    const told = isStream(scenario)
      ? await stream(curl(`${url}/v1/gateway/stream`), sseData, scenario)
      : await whole(curl(`${url}/v1/gateway/chat`));
    return { requestId: curl.requestId, ...told };
  },
};

export const curlConnect: MatrixClient = {
  name: "curl, Connect JSON",
  missing,
  async run(scenario, url) {
    const curl = requestOf(scenario);
    const service = `${url}/llmgateway.v1.GatewayService`;
    const told = isStream(scenario)
      ? await stream(curl(`${service}/Stream`, "application/connect+json", envelope), envelopes, scenario)
      : await whole(curl(`${service}/Chat`));
    return { requestId: curl.requestId, ...told };
  },
  extras: {
    async GET(url) {
      const query = new URLSearchParams({
        encoding: "json",
        message: '{"provider":"openai"}',
        connect: "v1",
      });
      const listing = `${url}/llmgateway.v1.GatewayService/ListModels?${query}`;
      const { models } = JSON.parse(await outputOf("curl", ["-sS", listing]));
      expect(models).toContainEqual(
        expect.objectContaining({ id: "openai/gpt-4o", input_per_1k_tokens: 0.0025 }),
      );
    },
  },
};

function isStream(scenario: Scenario): boolean {
  return scenario === "stream" || scenario === "abort";
}

type Post = ((url: string, type?: string, encode?: (body: Buffer) => Buffer) => Program) & {
  readonly requestId: string;
};

function requestOf(scenario: Scenario): Post {
  const requestId = crypto.randomUUID();
  const post = (url: string, type = "application/json", encode = (body: Buffer) => body) => {
    const headers = [`content-type: ${type}`, `x-request-id: ${requestId}`];
    if (scenario === "deadline") headers.push(`connect-timeout-ms: ${DEADLINE_MS}`);
    const args = ["-sSN", url, "--data-binary", "@-", ...headers.flatMap((header) => ["-H", header])];
    return start("curl", args, encode(Buffer.from(JSON.stringify(REQUESTS[scenario]))));
  };
  return Object.assign(post, { requestId });
}

async function whole({ output }: Program): Promise<Partly> {
  const json = JSON.parse(Buffer.concat(await Array.fromAsync(output)).toString());
  return json.code ? toldByError(json) : toldByReply(json);
}

async function stream(
  { output, child }: Program,
  messagesIn: (output: AsyncIterable<Buffer>) => AsyncIterable<string>,
  scenario: Scenario,
): Promise<Partly> {
  const events = [];
  for await (const json of messagesIn(output)) {
    events.push(eventOf(JSON.parse(json)));
    if (scenario === "abort") child.kill();
  }
  return toldByEvents(events);
}

async function* sseData(output: AsyncIterable<Buffer>): AsyncGenerator<string> {
  for await (const line of lines(output)) if (line.startsWith("data: ")) yield line.slice("data: ".length);
}
