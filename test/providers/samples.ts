/** Replies of every kind of a provider, whole: recorded ones where there are any, and the emulator's. */
import { create } from "@bufbuild/protobuf";
import { ChatRequestSchema } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import { loadRecordings, recordingsFolder } from "../recordings/recordings.ts";
import { CANONICAL, type CanonicalName } from "./canonical.ts";
import type { Spoken } from "./dialects.ts";

export interface Sample {
  readonly name: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
}

export function recordedSamples({ recordings }: Spoken): Sample[] {
  const folder = recordingsFolder();
  if (folder === undefined) return [];
  return loadRecordings(folder, recordings).map(({ provider, name, meta, body }) => ({
    name: `${provider}/${name}`,
    status: meta.status,
    headers: { ...meta.headers, "content-type": meta.content_type ?? typeOf(meta.body) },
    bytes: body,
  }));
}

/** Some recorders kept no headers. */
function typeOf(file: string): string {
  return file.endsWith(".sse") ? "text/event-stream" : "application/json";
}

const ASKED: readonly CanonicalName[] = [
  "a greeting",
  "tools, one of which must be called",
  "an effort to think",
];

/** Streams and whole replies of what can be asked of it, and an answer to nonsense. */
export async function emulatedSamples(spoken: Spoken, emulatorUrl: string): Promise<Sample[]> {
  const { dialect, model, basePath } = spoken;
  const post = async (name: string, path: string, body: string, headers = {}): Promise<Sample> => {
    const proof = { authorization: "Bearer test", ...headers };
    const reply = await fetch(emulatorUrl + basePath + path, { method: "POST", headers: proof, body });
    const bytes = Buffer.from(await reply.arrayBuffer());
    return {
      name: `emulator: ${name}`,
      status: reply.status,
      headers: Object.fromEntries(reply.headers),
      bytes,
    };
  };
  const samples: Sample[] = [];
  for (const stream of [true, false]) {
    for (const name of ASKED) {
      const request = create(ChatRequestSchema, CANONICAL[name]);
      // Room for the least that Claude thinks.
      const wire = dialect.encode(request, { model, stream, maxTokens: 2000 });
      samples.push(
        await post(`${name}, ${stream ? "streamed" : "whole"}`, wire.path, wire.body, wire.headers),
      );
      if (name === ASKED[0]) samples.push(await post("nonsense", wire.path, "{", wire.headers));
    }
  }
  return samples;
}

const KEPT = 12;

/** Without most of its middle, so that many of them can be read: the first frames and the last. */
export function shortened(sample: Sample): Sample {
  const frames = framesOf(sample);
  if (frames.length <= 2 * KEPT) return sample;
  return { ...sample, bytes: Buffer.concat([...frames.slice(0, KEPT), ...frames.slice(-KEPT)]) };
}

/** Each with its end; one for what is no stream. */
function framesOf({ bytes, headers: { "content-type": type = "" } }: Sample): Buffer[] {
  const frames: Buffer[] = [];
  const binary = type.startsWith("application/vnd.amazon.eventstream");
  if (!binary && !type.startsWith("text/event-stream")) return [bytes];
  const blank = bytes.includes("\r\n\r\n") ? "\r\n\r\n" : "\n\n";
  for (let from = 0; from < bytes.length; ) {
    const at = bytes.indexOf(blank, from);
    const end = binary ? from + bytes.readUInt32BE(from) : at < 0 ? bytes.length : at + blank.length;
    frames.push(bytes.subarray(from, end));
    from = end;
  }
  return frames;
}
