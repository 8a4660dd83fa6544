/** grpcurl, without a proto file: what it knows it was told by reflection. */
import { expect } from "vitest";
import { isInstalled, jsonObjects, outputOf, start } from "./process.ts";
import { DEADLINE_MS, type MatrixClient, REQUESTS, type Scenario } from "./scenarios.ts";
import { eventOf, type Partly, toldByEvents, toldByReply, toldByStatus } from "./told.ts";

const SERVICE = "llmgateway.v1.GatewayService";

export const grpcurl: MatrixClient = {
  name: "grpcurl, by reflection",
  missing: () => (isInstalled("grpcurl", "-version") ? undefined : "grpcurl"),
  async run(scenario, url) {
    const requestId = crypto.randomUUID();
    const options = ["-plaintext", "-format-error", "-d", "@", "-H", `x-request-id: ${requestId}`];
    if (scenario === "deadline") options.push("-max-time", String(DEADLINE_MS / 1000));
    const method = scenario === "stream" || scenario === "abort" ? "Stream" : "Chat";
    const args = [...options, new URL(url).host, `${SERVICE}/${method}`];
    return { requestId, ...(await run(scenario, args)) };
  },
  extras: {
    async list(url) {
      const services = (await ask(url, "list")).trim().split("\n");
      expect(services).toEqual([
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "llmgateway.v1.AdminService",
        SERVICE,
      ]);
    },
    async "describe a call, down to its last message"(url) {
      expect(await ask(url, "describe", SERVICE)).toContain("rpc Stream");
      const described = new Map<string, string>();
      for (
        const symbols = ["llmgateway.v1.ChatRequest", "llmgateway.v1.StreamResponse"];
        symbols.length > 0;
      ) {
        const symbol = symbols.pop() ?? "";
        if (described.has(symbol)) continue;
        const text = await ask(url, "describe", symbol);
        described.set(symbol, text);
        symbols.push(...[...text.matchAll(/[ (<]\.([\w.]+)/g)].map(([, name = ""]) => name));
      }
      expect(described.get("llmgateway.v1.ChatRequest")).toContain(
        "repeated .llmgateway.v1.Message messages = 1",
      );
      expect([...described.keys()]).toEqual(
        expect.arrayContaining([
          "google.protobuf.Struct",
          "llmgateway.v1.Receipt",
          "llmgateway.v1.StreamError",
        ]),
      );
    },
  },
};

function ask(url: string, ...words: string[]): Promise<string> {
  return outputOf("grpcurl", ["-plaintext", new URL(url).host, ...words]);
}

async function run(scenario: Scenario, args: readonly string[]): Promise<Partly> {
  const { child, output, ended } = start("grpcurl", args, JSON.stringify(REQUESTS[scenario]));
  const replies = [];
  for await (const json of jsonObjects(output)) {
    replies.push(JSON.parse(json));
    if (scenario === "abort") child.kill();
  }
  const { status, errors } = await ended;
  if (status) return toldByStatus(JSON.parse(errors));
  return scenario === "stream" || scenario === "abort"
    ? toldByEvents(replies.map(eventOf))
    : toldByReply(replies[0]);
}
