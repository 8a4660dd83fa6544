/** The official SDK is the judge: what it sends is what we send, and what it reads is what we read. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type GenerateContentResponse, GoogleGenAI, type Part } from "@google/genai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { fold } from "../../src/core/reply.ts";
import type { Wish } from "../../src/providers/dialect.ts";
import { geminiDialect } from "../../src/providers/gemini/dialect.ts";
import { geminiEmbeddings } from "../../src/providers/gemini/embeddings.ts";
import { geminiResource } from "../../src/providers/gemini/resource.ts";
import { SseReader } from "../../src/wire/sse.ts";
import { loadRecordings, type Recording, recordingsFolder } from "../recordings/recordings.ts";
import { type RecordingServer, serveRecordings } from "../recordings/server.ts";
import { replyOf } from "../support/call.ts";
import { violatedBy } from "../support/failure.ts";
import { answers, type ScriptedProvider, scriptedProvider } from "../support/provider.ts";
import { CANONICAL, type CanonicalName } from "./canonical.ts";
import { GEMINI_GOLDEN, type Golden, MODEL, NEWER_GOLDEN, NEWER_MODEL } from "./gemini-golden.ts";

const dialect = geminiDialect(geminiResource, () => geminiEmbeddings);
const names = Object.keys(CANONICAL) as CanonicalName[];

function encode(
  request: MessageInitShape<typeof ChatRequestSchema>,
  model: string,
  wish: Partial<Wish> = {},
) {
  const usual = { model, stream: false, maxTokens: undefined };
  return dialect.encode(create(ChatRequestSchema, request), { ...usual, ...wish });
}

/** Its own default has become v1; which one is called is for the base URL to say. */
function sdk(baseUrl: string): GoogleGenAI {
  return new GoogleGenAI({ apiKey: "AIza-test", apiVersion: "v1beta", httpOptions: { baseUrl } });
}

describe("a request equals the SDK's", () => {
  let server: ScriptedProvider;
  beforeAll(async () => {
    server = await scriptedProvider(answers(200, {}));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  async function compare(name: CanonicalName, golden: Golden, model: string): Promise<void> {
    const ours = () => encode(CANONICAL[name], model);
    if ("refused" in golden) {
      expect(violatedBy(ours)).toEqual([golden.refused]);
      return;
    }
    await sdk(server.origin).models.generateContent(golden.params);
    const theirs = server.requests.at(-1);
    const { path, body } = ours();
    const sent: { generationConfig?: object } = JSON.parse(theirs?.body ?? "");
    // The SDK sends an empty one.
    if (Object.keys(sent.generationConfig ?? {}).length === 0) delete sent.generationConfig;
    expect(JSON.parse(body)).toEqual(sent);
    expect(`/v1beta${path}`).toBe(theirs?.url);
    expect(theirs?.headers["x-goog-api-key"]).toBe("AIza-test");
  }

  test.each(names)("%s", async (name) => {
    await compare(name, GEMINI_GOLDEN[name], MODEL);
  });

  test.each(Object.keys(NEWER_GOLDEN) as CanonicalName[])("%s, to a newer model", async (name) => {
    const golden = NEWER_GOLDEN[name];
    if (golden) await compare(name, golden, NEWER_MODEL);
  });

  test("a stream", async () => {
    const contents = [{ role: "user", parts: [{ text: "Hi" }] }];
    await sdk(server.origin).models.generateContentStream({
      model: MODEL,
      contents,
      config: { maxOutputTokens: 7 },
    });
    const wish = { stream: true, maxTokens: 7 };
    const { path, body } = encode({ messages: [{ role: "user", content: "Hi" }] }, MODEL, wish);
    expect(JSON.parse(body)).toEqual(JSON.parse(server.requests.at(-1)?.body ?? ""));
    expect(`/v1beta${path}`).toBe(server.requests.at(-1)?.url);
  });
});

const folder = recordingsFolder();
const replies =
  folder === undefined
    ? []
    : loadRecordings(folder, ["gemini", "vertex"]).filter(
        ({ meta }) =>
          meta.status === 200 &&
          !meta.expected.error &&
          meta.expected.embeddings === undefined &&
          answered(meta),
      );

function answered({ expected }: Recording["meta"]): boolean {
  return !("prompt_block_reason" in expected);
}

if (replies.length > 0) describe("a recorded reply", readAll);

/** A list that was not asked for as events, and a stream whose last line end the recorder dropped. */
const NOT_FOR_THE_SDK = new Set(["gemini/stream-json-array", "gemini/stream-no-content-parts"]);

function readAll(): void {
  let server: RecordingServer;
  beforeAll(async () => {
    server = await serveRecordings(replies);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const cases = replies.map((reply) => [`${reply.provider}/${reply.name}`, reply] as const);

  test.each(cases.filter(([id]) => !NOT_FOR_THE_SDK.has(id)))(
    "%s reads as the SDK reads it",
    async (id, recording) => {
      const { response, usage } = await read(recording);
      const whole = await asTheSdk(`${server.origin}/${id}/0`, recording);
      expect(spokenBy(partsOf(response))).toEqual(spokenBy(whole.parts));
      const { promptTokenCount = 0, toolUsePromptTokenCount = 0, ...output } = whole.usage ?? {};
      expect(usage?.inputTokens ?? 0).toBe(promptTokenCount + toolUsePromptTokenCount);
      const { candidatesTokenCount = 0, thoughtsTokenCount = 0, totalTokenCount } = output;
      expect(usage?.outputTokens ?? 0).toBe(candidatesTokenCount + thoughtsTokenCount);
      if (totalTokenCount !== undefined) expect(usage?.totalTokens).toBe(totalTokenCount);
    },
  );

  test.each(cases)("%s can be sent back as it came", async (_, recording) => {
    const { response } = await read(recording);
    expect(normal(partsOf(response))).toEqual(normal(partsIn(recording)));
  });
}

async function asTheSdk(baseUrl: string, { meta }: Recording) {
  const { models } = sdk(baseUrl);
  const question = { model: "any", contents: "Hi" };
  const whole = { parts: [] as Part[], usage: {} as GenerateContentResponse["usageMetadata"] };
  const take = ({ candidates, usageMetadata }: GenerateContentResponse) => {
    whole.parts.push(...(candidates?.find(({ index = 0 }) => index === 0)?.content?.parts ?? []));
    whole.usage = { ...whole.usage, ...usageMetadata };
  };
  if (!meta.request.stream) take(await models.generateContent(question));
  else for await (const chunk of await models.generateContentStream(question)) take(chunk);
  return whole;
}

async function read({ meta, body }: Recording) {
  const headers = {};
  if (!meta.body.endsWith(".sse")) {
    const { events, usage } = dialect.decodeReply(body.toString(), headers);
    return { response: await fold(replyOf([events])), usage };
  }
  const sse = new SseReader();
  const decoder = dialect.decodeStream(headers);
  const events = [...sse.push(body), ...sse.end()].flatMap((data) => decoder.push(data));
  events.push(...decoder.end(sse.strayText));
  return { response: await fold(replyOf([events])), usage: decoder.usage };
}

/** What the answer becomes when the conversation goes on. */
function partsOf({ message }: Awaited<ReturnType<typeof read>>["response"]): Part[] {
  const messages = [{ role: "user", content: "Hi" }, ...(message ? [message] : [])];
  // Signatures are not made up for older models, whatever the recording's was.
  const { contents } = JSON.parse(encode({ messages }, MODEL).body);
  return contents[1]?.parts ?? [];
}

/** The parts as they were recorded, of the first candidate. */
function partsIn({ meta, body }: Recording): Part[] {
  const sse = new SseReader();
  const text = body.toString();
  const elements: GenerateContentResponse[] = meta.body.endsWith(".sse")
    ? [...sse.push(body), ...sse.end()].map((data) => JSON.parse(data))
    : [JSON.parse(text)].flat();
  return elements.flatMap(({ candidates = [] }) => candidates[0]?.content?.parts ?? []);
}

/**
 * Texts that follow each other are one, and a signature that stands alone signs the text before it: that is how the
 * same answer comes when it is not streamed.
 */
function normal(parts: readonly Part[]): Part[] {
  const joined: Part[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    const goesOn =
      part.text !== undefined &&
      last?.text !== undefined &&
      last.thought === part.thought &&
      !last.thoughtSignature;
    if (goesOn) joined.splice(-1, 1, { ...last, ...part, text: `${last.text}${part.text}` });
    else if (part.text !== "" || part.thoughtSignature) joined.push(part);
  }
  return joined;
}

/** What a caller hears and sees, without seals. */
function spokenBy(parts: readonly Part[]) {
  const texts = (thoughts: boolean) =>
    parts.map(({ text = "", thought = false }) => (thought === thoughts ? text : "")).join("");
  return {
    text: texts(false),
    thoughts: texts(true),
    calls: parts.flatMap(({ functionCall }) => functionCall ?? []),
    signatures: parts.flatMap(({ thoughtSignature }) => thoughtSignature ?? []),
  };
}
