/** A provider that costs nothing to speak of: the same bytes for each call, as OpenAI would frame them. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Content events in each stream. */
export const EVENTS_PER_STREAM = 500;

/**
 * A word in the request that asks for all events at once, of which hundreds come
 * in one read. Otherwise each is written by itself, as fast as the reader takes
 * them, which is how models speak.
 */
export const BURST = "all-at-once";

/** A word in the request that asks for fewer events. */
export const SHORT = "a-hundred";
export const EVENTS_PER_SHORT_STREAM = 100;

const USAGE = {
  prompt_tokens: 120,
  completion_tokens: 100,
  total_tokens: 220,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
};

const HEAD = {
  id: "chatcmpl-bench",
  created: 1_755_000_000,
  model: "gpt-4o-2024-08-06",
  system_fingerprint: "fp_1",
};

const REPLY = JSON.stringify({
  ...HEAD,
  object: "chat.completion",
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: "The gateway says what each call costs. ".repeat(6),
        refusal: null,
      },
      logprobs: null,
      finish_reason: "stop",
    },
  ],
  usage: USAGE,
  service_tier: "default",
});

const EVENT = eventOf({
  choices: [{ index: 0, delta: { content: " token" }, logprobs: null, finish_reason: null }],
  usage: null,
});
const LAST = [
  eventOf({ choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }], usage: null }),
  eventOf({ choices: [], usage: { ...USAGE, completion_tokens: EVENTS_PER_STREAM } }),
  "data: [DONE]\n\n",
].join("");

function eventOf(fields: object): string {
  return `data: ${JSON.stringify({ ...HEAD, object: "chat.completion.chunk", service_tier: "default", ...fields })}\n\n`;
}

/** Serves until the process ends; gives the base URL. */
export async function startUpstream(): Promise<string> {
  const server = createServer((request, reply) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      if (!body.includes('"stream":true')) {
        reply.writeHead(200, {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(REPLY),
        });
        reply.end(REPLY);
        return;
      }
      reply.writeHead(200, { "content-type": "text/event-stream" });
      const burst = body.includes(BURST);
      const events = body.includes(SHORT) ? EVENTS_PER_SHORT_STREAM : EVENTS_PER_STREAM;
      let sent = 0;
      const pump = () => {
        do {
          sent++;
          if (!reply.write(EVENT)) return reply.once("drain", pump);
        } while (burst && sent < events);
        return sent < events ? setImmediate(pump) : reply.end(LAST);
      };
      pump();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
