/** A canonical request as the body of Google's `generateContent` and `streamGenerateContent`. */
import type { ChatRequest } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { invalidRequest, type Violation } from "../../core/failure.ts";
import type { WireBody, Wish } from "../dialect.ts";
import { isObject } from "../malformed.ts";
import { objectOf } from "../raw_json.ts";
import { encodeConversation } from "./contents.ts";
import { encodeGeneration } from "./generation.ts";
import { encodeToolConfig, encodeTools } from "./tools.ts";

/** They decide what is called and what it may cost, so that no caller may set them by hand. */
const RESERVED: ReadonlySet<string> = new Set(["model", "contents", "maxOutputTokens", "candidateCount"]);

/** What tells a service tier; one that is not known is a violation. */
export type TierHeaders = (tier: string, wrong: Violation[]) => Readonly<Record<string, string>>;

/**
 * The caller's `metadata` is for the gateway's log and stays here, and marks for
 * the prompt cache are left out, since Google caches by itself.
 *
 * @param resource path of the model below the base URL
 * @param tierHeaders absent where the body tells the service tier
 */
export function encodeChat(
  request: ChatRequest,
  wish: Wish,
  resource: string,
  tierHeaders?: TierHeaders,
): WireBody {
  const wrong: Violation[] = [];
  const { contents, instructions } = encodeConversation(request, wish.model, wrong);
  const body = new Map([["contents", contents]]);
  if (instructions) body.set("systemInstruction", instructions);
  const toolConfig = encodeToolConfig(request, wrong);
  if (toolConfig) body.set("toolConfig", JSON.stringify(toolConfig));
  const tier = request.parameters?.serviceTier;
  const headers = tier && tierHeaders ? tierHeaders(tier, wrong) : {};
  if (tier && !tierHeaders) body.set("serviceTier", JSON.stringify(tier));
  const { generationConfig, tools, others } = splitExtra(request.extraBody ?? {});
  if (request.tools.length > 0) tools.unshift(encodeTools(request.tools, wrong));
  if (tools.length > 0) body.set("tools", `[${tools.join(",")}]`);
  const generation = encodeGeneration(request, wish, wrong);
  merge(generation, generationConfig, "extra_body.generationConfig.", wrong);
  if (generation.size > 0) body.set("generationConfig", objectOf(generation));
  merge(body, others, "extra_body.", wrong);
  if (wrong.length > 0) throw invalidRequest(wrong);
  const method = wish.stream ? "streamGenerateContent?alt=sse" : "generateContent";
  return { path: `${resource}:${method}`, body: objectOf(body), headers };
}

type Field = readonly [name: string, value: unknown];

interface Extra {
  readonly generationConfig: Field[];
  /** Google's own tools, such as its search, as JSON text. */
  readonly tools: string[];
  readonly others: Field[];
}

/** What the caller adds goes in beside what the gateway sets there. */
function splitExtra(extra: object): Extra {
  const split: Extra = { generationConfig: [], tools: [], others: [] };
  for (const field of Object.entries(extra)) {
    const [name, value] = field;
    const known = canonical(name);
    if (known === "generationConfig" && isObject(value))
      split.generationConfig.push(...Object.entries(value));
    else if (known === "tools" && Array.isArray(value))
      split.tools.push(...value.map((it) => JSON.stringify(it)));
    else split.others.push(field);
  }
  return split;
}

function merge(body: Map<string, string>, extra: readonly Field[], path: string, wrong: Violation[]): void {
  if (extra.length === 0) return;
  const taken = new Set(body.keys());
  for (const [name, value] of extra) {
    const known = canonical(name);
    if (taken.has(known) || RESERVED.has(known)) {
      wrong.push({ field: `${path}${name}`, description: "is set by the gateway" });
    } else body.set(name, JSON.stringify(value));
  }
}

/** Google reads `generation_config` as `generationConfig`, as all Protobuf's JSON. */
function canonical(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
