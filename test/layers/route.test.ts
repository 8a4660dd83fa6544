import { describe, expect, it } from "vitest";
import type { Call, PlannedCall } from "../../src/core/call.ts";
import { route } from "../../src/layers/route.ts";
import type { Directory } from "../../src/routing/named.ts";
import { callOf, replyOf } from "../support/call.ts";
import { routeMeansOf } from "../support/route.ts";

const PROVIDERS = new Map([
  ["openai", { name: "openai", defaultModels: { chat: "gpt-4o-mini", embeddings: "small" }, models: [] }],
  ["azure", { name: "azure", defaultModels: { chat: "", embeddings: "" }, models: [] }],
  [
    "local",
    { name: "local", defaultModels: { chat: "llama", embeddings: "" }, models: ["llama", "org/mixtral"] },
  ],
]);

const DIRECTORY: Directory = {
  provider: (name) => PROVIDERS.get(name),
  providers: [...PROVIDERS.keys()],
  providersOf: (model) =>
    model === "gpt-4o" ? ["azure", "openai"] : model === "meta/llama-3" ? ["local"] : [],
  defaultModels: { chat: "openai/gpt-4o", embeddings: "openai/large" },
};
const NO_DEFAULTS: Directory = { ...DIRECTORY, defaultModels: { chat: "", embeddings: "" } };

type Named = { model?: string; modelVersion?: string };

function decide(request: Named, directory = DIRECTORY) {
  return decideOn(callOf({ request }), directory);
}

async function decideOn(call: Call, directory = DIRECTORY) {
  let planned: PlannedCall | undefined;
  await route(routeMeansOf({ directory }))(async (below) => {
    planned = below;
    return replyOf([]);
  })(call);
  const { provider, model } = planned?.targets[0] ?? {};
  return {
    target: `${provider}/${model}`,
    policy: call.tally.route?.policy,
    reason: call.tally.route?.reason,
  };
}

describe("a request finds its target", () => {
  it.each([
    [{ model: "openai", modelVersion: "gpt-4o" }, "openai/gpt-4o", "explicit", "the request names it"],
    [{ model: "openai/gpt-4o" }, "openai/gpt-4o", "explicit", "the request names it"],
    [{ model: "openai/ft:gpt-4o:acme/1" }, "openai/ft:gpt-4o:acme/1", "explicit", "the request names it"],
    [{ model: "local/org/mixtral" }, "local/org/mixtral", "explicit", "the request names it"],
    [
      { model: "openai" },
      "openai/gpt-4o-mini",
      "explicit",
      "the request names openai, whose default is gpt-4o-mini",
    ],
    [
      { model: "openai/" },
      "openai/gpt-4o-mini",
      "explicit",
      "the request names openai, whose default is gpt-4o-mini",
    ],
    [{ model: "local", modelVersion: "llama" }, "local/llama", "explicit", "the request names it"],
    [{ model: "gpt-4o" }, "azure/gpt-4o", "catalog", "azure is the first configured provider of gpt-4o"],
    [
      { model: "meta/llama-3" },
      "local/meta/llama-3",
      "catalog",
      "local is the first configured provider of meta/llama-3",
    ],
    [{}, "openai/gpt-4o", "default", "the request names no model; the default is openai/gpt-4o"],
  ])("%j", async (request, target, policy, reason) => {
    expect(await decide(request)).toEqual({ target, policy, reason });
  });
});

describe("a request that names nobody is refused, with the field and what would be right", () => {
  it.each([
    [
      { model: "gpt-5" },
      "unknown_model",
      "model",
      '"gpt-5" is neither a provider (openai, azure, local) nor a model',
    ],
    [
      { model: "acme/gpt-4o" },
      "unknown_model",
      "model",
      'there is no provider "acme"; the providers are openai,',
    ],
    [{ model: "acme", modelVersion: "gpt-4o" }, "unknown_model", "model", 'there is no provider "acme"'],
    [{ model: "gpt-4o", modelVersion: "gpt-4o" }, "unknown_model", "model", 'there is no provider "gpt-4o"'],
    [{ model: "/gpt-4o" }, "unknown_model", "model", "is neither a provider"],
    [
      { model: "local/gpt-4o" },
      "unknown_model",
      "model_version",
      "is not among the models of local: llama, org/mixtral",
    ],
    [
      { model: "local", modelVersion: "gpt-4o" },
      "unknown_model",
      "model_version",
      "is not among the models of local",
    ],
    [
      { model: "azure" },
      "invalid_request",
      "model_version",
      "azure has no default_model in the configuration",
    ],
    [{ modelVersion: "gpt-4o" }, "invalid_request", "model", "is missing beside model_version"],
  ])("%j", async (request, kind, field, text) => {
    await expect(decide(request)).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(`^${field}: `),
      violations: [{ field, description: expect.stringContaining(text) }],
    });
  });

  it("{} where there is no default", async () => {
    await expect(decide({}, NO_DEFAULTS)).rejects.toMatchObject({
      kind: "invalid_request",
      violations: [
        { field: "model", description: expect.stringContaining("no default_model is configured") },
      ],
    });
  });
});

it("takes a default that is a model of the catalog", async () => {
  const defaultModels = { chat: "gpt-4o", embeddings: "" };
  const { target, policy } = await decide({}, { ...DIRECTORY, defaultModels });
  expect({ target, policy }).toEqual({ target: "azure/gpt-4o", policy: "default" });
});

describe("a request for embeddings", () => {
  const embed = (request: Named, directory = DIRECTORY) => decideOn(callOf({ embed: request }), directory);

  it.each([
    [{ model: "openai" }, "openai/small", "the request names openai, whose default is small"],
    [{ model: "openai", modelVersion: "other" }, "openai/other", "the request names it"],
    [{}, "openai/large", "the request names no model; the default is openai/large"],
  ])("%j has defaults of its own", async (request, target, reason) => {
    expect(await embed(request)).toMatchObject({ target, reason });
  });

  it.each([
    [{}, "model", 'no default_embedding_model is configured; for example "openai/text-embedding-3-small"'],
    [{ model: "azure" }, "model_version", "azure has no default_embedding_model in the configuration"],
  ])("%j is refused where there is none", async (request, field, text) => {
    await expect(embed(request, NO_DEFAULTS)).rejects.toMatchObject({
      kind: "invalid_request",
      violations: [{ field, description: expect.stringContaining(text) }],
    });
  });
});

describe("what is taken up", () => {
  const takenUp = (provider: string) => {
    const sent = { number: 1, target: { provider, model: "gpt-4o" }, route: undefined };
    const parking = { parked: { where: "there", sent }, park: async () => {} };
    return decideOn({ ...callOf({ request: { model: "local" } }), parking });
  };

  it("goes where it was sent", async () => {
    expect((await takenUp("openai")).target).toBe("openai/gpt-4o");
  });

  it("is refused where it was sent to a provider that is gone, and says so", async () => {
    await expect(takenUp("acme")).rejects.toMatchObject({
      kind: "provider_unavailable",
      message: "it was sent to acme, which is not configured any more",
    });
  });
});
