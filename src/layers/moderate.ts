/**
 * Has the configured hooks look at a call: at its request before anything is made of it, at a stream before each piece
 * is given, and at a whole reply. It knows when who looks, and not what any of them looks for.
 */
import type { StreamResponse } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Call, Layer, ModelRequest, Transcript } from "../core/call.ts";
import type { Batch, Reply } from "../core/reply.ts";
import { Docket, type DocketMeans } from "../moderation/docket.ts";
import { edited, examine } from "../moderation/examine.ts";
import type { Hook } from "../moderation/hook.ts";
import { staysJson } from "../moderation/json-text.ts";
import { textsOf, withTexts } from "../moderation/request.ts";
import { restored, restoringSieve, sieveOf } from "../moderation/sieves.ts";
import { Sifting } from "../moderation/stream.ts";
import { WholeReply } from "../moderation/whole.ts";

export interface ModerateMeans extends DocketMeans {
  /** In the order in which they look. */
  readonly hooks: readonly Hook[];
}

export function moderate(means: ModerateMeans): Layer {
  return (next) => async (call) => {
    const hooks = means.hooks.filter((hook) => hook.isFor(call));
    if (hooks.length === 0) return next(call);
    const docket = new Docket(call, means);
    const request = await moderatedRequest(call, hooks, docket);
    const reply = await next({ ...call, request });
    if (reply.embeddings) return reply;
    const answer = {
      reply,
      hooks,
      docket,
      transcript: call.tally.transcript,
      isStructured: isStructured(call),
    };
    return call.streaming ? streamed(answer) : whole(answer);
  };
}

/** The call as those below would see it, as far as that is known without asking anybody. */
export async function masked(call: Call, means: ModerateMeans): Promise<Call> {
  const hooks = means.hooks.filter((hook) => hook.looks.kind !== "asking" && hook.isFor(call));
  if (hooks.length === 0) return call;
  // It is no call, and so is not counted.
  const docket = new Docket(call, { ...means, count: () => {} });
  return { ...call, request: await moderatedRequest(call, hooks, docket) };
}

async function moderatedRequest(
  { request }: Call,
  hooks: readonly Hook[],
  docket: Docket,
): Promise<ModelRequest> {
  const looking = hooks.filter(({ on }) => on.has("request"));
  if (looking.length === 0) return request;
  let texts = textsOf(request);
  for (const { text } of texts) docket.placeholders.avoid(text);
  let isChanged = false;
  for (const hook of looking) {
    const edits = await examine(hook, texts, "request", docket);
    if (edits.every(({ length }) => length === 0)) continue;
    isChanged = true;
    texts = texts.map((text, index) => ({ ...text, text: edited(text.text, edits[index] ?? []) }));
  }
  return isChanged
    ? withTexts(
        request,
        texts.map(({ text }) => text),
      )
    : request;
}

interface Answer {
  readonly reply: Reply;
  readonly hooks: readonly Hook[];
  readonly docket: Docket;
  readonly transcript: Transcript | undefined;
  /** Whether what is said in it is to be JSON. */
  readonly isStructured: boolean;
}

function isStructured({ request }: Call): boolean {
  const { type = "" } = (request.$typeName === "llmgateway.v1.ChatRequest" && request.responseFormat) || {};
  return type.startsWith("json");
}

async function whole({ reply, hooks, docket, transcript, isStructured }: Answer): Promise<Reply> {
  const looking = hooks.filter(({ on }) => on.has("reply"));
  if (looking.length === 0 && !docket.placeholders.restores) return reply;
  let events: readonly StreamResponse[] = await gathered(reply.events);
  for (const hook of looking) {
    const said = new WholeReply(events, isStructured);
    events = said.changed(await examine(hook, said.texts(), "reply", docket));
  }
  if (docket.placeholders.restores) {
    transcript?.unrestored(events);
    const said = new WholeReply(events, isStructured);
    const edits = said.texts().map(({ kind, text }) => restored(text, staysJson(kind), docket.placeholders));
    events = said.changed(edits, true);
  }
  return { ...reply, events: only(events) };
}

async function gathered(events: AsyncIterable<Batch>): Promise<StreamResponse[]> {
  const all: StreamResponse[] = [];
  for await (const batch of events) all.push(...batch);
  return all;
}

async function* only(events: Batch): AsyncGenerator<Batch> {
  if (events.length > 0) yield events;
}

/** What a stream's events go through. */
interface Step {
  pass(events: readonly StreamResponse[]): Promise<readonly StreamResponse[]>;
}

function streamed({ reply, hooks, docket, transcript, isStructured }: Answer): Reply {
  const steps: Step[] = [];
  for (const hook of hooks) {
    if (hook.on.has("stream")) steps.push(new Sifting(sieveOf(hook, docket), isStructured));
    else if (hook.on.has("reply")) steps.push(new AtTheEnd(hook, docket, isStructured));
  }
  if (docket.placeholders.restores) {
    if (transcript) steps.push(new Telling(transcript));
    steps.push(new Sifting(restoringSieve(docket.placeholders), isStructured));
  }
  return steps.length === 0 ? reply : { ...reply, events: through(reply.events, steps) };
}

/** A hook that refuses ends the reading, and with it the provider's work. */
async function* through(events: AsyncIterable<Batch>, steps: readonly Step[]): AsyncGenerator<Batch> {
  for await (const batch of events) {
    let given: readonly StreamResponse[] = batch;
    for (const step of steps) given = await step.pass(given);
    if (given.length > 0) yield given;
  }
}

class Telling implements Step {
  private readonly transcript: Transcript;

  constructor(transcript: Transcript) {
    this.transcript = transcript;
  }

  async pass(events: readonly StreamResponse[]): Promise<readonly StreamResponse[]> {
    this.transcript.unrestored(events);
    return events;
  }
}

/** Looks at the whole of a stream when it has been given: it can take back nothing. */
class AtTheEnd implements Step {
  private readonly hook: Hook;
  private readonly docket: Docket;
  private readonly isStructured: boolean;
  private readonly said: StreamResponse[] = [];

  constructor(hook: Hook, docket: Docket, isStructured: boolean) {
    this.hook = hook;
    this.docket = docket;
    this.isStructured = isStructured;
  }

  async pass(events: readonly StreamResponse[]): Promise<readonly StreamResponse[]> {
    this.said.push(...events);
    if (events.at(-1)?.done)
      await examine(
        this.hook,
        new WholeReply(this.said, this.isStructured).texts(),
        "reply",
        this.docket,
        false,
      );
    return events;
  }
}
