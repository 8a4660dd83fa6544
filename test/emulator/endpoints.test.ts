import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { chatBody, emulated, openAiClient, post, postChat, readError, readJson } from "./emulated.ts";

const emulator = await emulated();
const client = openAiClient(emulator);

describe("embeddings", () => {
  const create = async (input: string | string[] | number[] | number[][], fields: object = {}) =>
    client.embeddings.create({ model: "text-embedding-3-small", input, ...fields });

  test("are unit vectors, the same as floats and as base64", async () => {
    // The SDK asks for base64 unless told otherwise, and decodes it.
    const [packed, floats] = [
      await create("hello world"),
      await create("hello world", { encoding_format: "float" }),
    ];
    const vector = floats.data[0]?.embedding ?? [];
    expect(vector.length).toBe(1536);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    packed.data[0]?.embedding.forEach((value, index) => {
      expect(value).toBeCloseTo(vector[index] ?? Number.NaN, 6);
    });
    expect(packed.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
  });

  test("base64 is what was asked for on the wire", async () => {
    const body = { model: "text-embedding-3-large", input: "hi", encoding_format: "base64", dimensions: 256 };
    const reply = await readJson<{ data: { embedding: string }[] }>(
      await post(`${emulator.url}/v1/embeddings`, body),
    );
    expect(Buffer.from(reply.data[0]?.embedding ?? "", "base64").length).toBe(256 * 4);
  });

  test("are near for texts with words in common", async () => {
    const reply = await create(
      ["what is the capital of France", "the capital of France is what?", "boil three eggs"],
      {
        encoding_format: "float",
      },
    );
    const [a, b, c] = reply.data.map((one) => one.embedding);
    const cosine = (x: number[] = [], y: number[] = []) =>
      x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
    expect(cosine(a, b)).toBeGreaterThan(0.95);
    expect(cosine(a, c)).toBeLessThan(0.5);
  });

  test("count token ids as tokens", async () => {
    expect((await create([1, 2, 3])).usage.prompt_tokens).toBe(3);
    const lists = await create([[1, 2], [3]]);
    expect(lists.data.length).toBe(2);
    expect(lists.usage.prompt_tokens).toBe(3);
  });

  test.each([
    [{ dimensions: -1 }, "-1 is less than the minimum of 1 - 'dimensions'"],
    [{ dimensions: 1537 }, "1537 is greater than the maximum of 1536 - 'dimensions'"],
    [{ encoding_format: "hex" }, "'hex' is not one of ['float', 'base64'] - 'encoding_format'"],
    [{ input: "" }, "Invalid 'input': input cannot be an empty string or array."],
    [{ input: undefined }, "Missing required parameter: 'input'."],
    [
      { input: { text: "hi" } },
      "Invalid type for 'input': expected a string or token ids, but got an object.",
    ],
  ])("%o is refused", async (fields, message) => {
    const body = { model: "text-embedding-3-small", input: "hi", ...fields };
    const response = await post(`${emulator.url}/v1/embeddings`, body);
    expect(response.status).toBe(400);
    expect(await readError(response)).toMatchObject({ message, type: "invalid_request_error" });
  });
});

describe("models", () => {
  test("are listed and found by id", async () => {
    const { data } = await client.models.list();
    expect(data.map((model) => model.id)).toEqual(
      expect.arrayContaining(["gpt-4o", "text-embedding-3-small"]),
    );
    expect(await client.models.retrieve("gpt-4o")).toEqual(data.find((model) => model.id === "gpt-4o"));
    expect(await client.models.retrieve("org/own")).toMatchObject({ id: "org/own", object: "model" });
    await expect(client.models.retrieve("no-such-model")).rejects.toBeInstanceOf(OpenAI.NotFoundError);
  });
});

describe("refusals as OpenAI spells them", () => {
  test.each([
    [{ messages: undefined }, "missing_required_parameter", "messages"],
    [{ messages: [] }, "empty_array", "messages"],
    [{ messages: "Hi" }, "invalid_type", "messages"],
    [{ messages: [{ role: "robot", content: "Hi" }] }, "invalid_value", "messages[0].role"],
    [{ max_tokens: 0 }, "integer_below_min_value", "max_tokens"],
    [{ max_tokens: "5" }, "invalid_type", "max_tokens"],
    [{ n: 0 }, "integer_below_min_value", "n"],
    [{ model: "gpt-5-nano", max_tokens: 5 }, "unsupported_parameter", "max_tokens"],
    [{ stream_options: { include_usage: true } }, null, "stream_options"],
    [{ tool_choice: "auto" }, null, "tool_choice"],
    [{ model: undefined }, null, null],
  ])("%o", async (fields, code, param) => {
    const response = await postChat(emulator, "Hi", fields);
    expect(response.status).toBe(400);
    expect(response.headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    const error = await readError(response);
    expect(error).toEqual({ message: expect.any(String), type: "invalid_request_error", param, code });
  });

  test("empty messages read as recorded", async () => {
    const error = await readError(await postChat(emulator, "", { messages: [] }));
    expect(error.message).toBe(
      "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    );
  });

  test.each(["{not json", "[]", ""])("a body that is no JSON object: %o", async (body) => {
    const response = await post(`${emulator.url}/v1/chat/completions`, body);
    expect(response.status).toBe(400);
    expect((await readError(response)).message).toContain("could not parse the JSON body");
  });

  test.each(["gpt-unknown-9", "no-such-model"])("the unknown model %s, on a stream too", async (model) => {
    for (const stream of [false, true]) {
      const response = await postChat(emulator, "Hi", { model, stream });
      expect(response.status).toBe(404);
      expect(response.headers.get("content-type")).toBe("application/json; charset=utf-8");
      expect(await readError(response)).toEqual({
        message: `The model \`${model}\` does not exist or you do not have access to it.`,
        type: "invalid_request_error",
        param: null,
        code: "model_not_found",
      });
    }
  });

  test("an unknown path", async () => {
    const response = await post(`${emulator.url}/v1/nonsense?x=1`, {});
    expect(response.status).toBe(404);
    expect((await readError(response)).message).toBe("Invalid URL (POST /v1/nonsense)");
  });
});

describe("keys", async () => {
  const locked = await emulated({ apiKey: "sk-right" });

  test("the right one is let in, as a bearer token or as Azure's header", async () => {
    await expect(openAiClient(locked, "sk-right").models.list()).resolves.toBeDefined();
    const path = "/openai/deployments/chat/chat/completions?api-version=1";
    const response = await post(locked.url + path, chatBody("Hi"), { headers: { "api-key": "sk-right" } });
    expect(response.status).toBe(200);
  });

  test("a wrong one is refused and not repeated", async () => {
    const wrong = "sk-wrong-and-quite-long";
    const failure = await openAiClient(locked, wrong)
      .models.list()
      .then(undefined, (error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(failure).toMatchObject({ status: 401, code: "invalid_api_key", type: "invalid_request_error" });
    expect(String(failure)).toContain("sk-wrong****long");
    expect(String(failure)).not.toContain(wrong);
  });

  test("none is refused before anything else is looked at", async () => {
    const response = await post(`${locked.url}/v1/chat/completions`, "{");
    expect(response.status).toBe(401);
    expect((await readError(response)).message).toContain("didn't provide an API key");
  });

  test("Azure's refusal has its number for a code", async () => {
    const path = "/openai/deployments/chat/chat/completions?api-version=1";
    const response = await post(locked.url + path, chatBody("Hi"));
    expect(response.status).toBe(401);
    expect(await readError(response)).toEqual({
      code: "401",
      message: expect.stringContaining("invalid subscription key"),
    });
  });
});

test.each([
  "/openai/deployments/chat/chat/completions?api-version=2024-10-21",
  "/openai/deployments/%zz/chat/completions",
  "/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
  "/chat/completions",
])("chat is served on %s", async (path) => {
  const response = await post(emulator.url + path, chatBody("Hi"));
  expect(response.status).toBe(200);
});

test("Azure knows no such deployment", async () => {
  const response = await post(
    `${emulator.url}/openai/deployments/no-such-one/chat/completions`,
    chatBody("Hi"),
  );
  expect(response.status).toBe(404);
  expect((await readError(response)).code).toBe("DeploymentNotFound");
});
