/** What the assistant said earlier, for Anthropic's body: the blocks that it came in, in their order. */
import type {
  Citation,
  Message,
  Part,
  Reasoning,
  ToolCall,
} from "../../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Violation } from "../../core/failure.ts";
import { plainCallId } from "../call_id.ts";
import { isObject } from "../malformed.ts";
import { isBlank, misplaced } from "../parts.ts";
import { isJsonObject } from "../raw_json.ts";
import { type Block, isText, textBlock, wholeBlock } from "./blocks.ts";
import { CLAUDE } from "./traits.ts";

/**
 * Thoughts come first in `parts` even when they were thought before what stands
 * in `content`. What only another provider understands is left out, and so are
 * thoughts without a seal, which Anthropic never gives and always refuses.
 */
export function encodeAssistant(message: Message, path: string, wrong: Violation[]): Block[] {
  const { content, parts } = message;
  const answer = new Answer(wrong);
  const before = parts.findIndex(({ part }) => part.case !== "reasoning");
  const thoughts = before < 0 ? parts.length : before;
  parts.slice(0, thoughts).forEach((part, j) => {
    answer.add(part, `${path}.parts[${j}]`);
  });
  if (content) answer.say(content, undefined);
  parts.slice(thoughts).forEach((part, j) => {
    answer.add(part, `${path}.parts[${thoughts + j}]`);
  });
  return answer.blocks;
}

class Answer {
  readonly blocks: Block[] = [];
  private readonly wrong: Violation[];
  /** Characters of text so far. */
  private said = 0;

  constructor(wrong: Violation[]) {
    this.wrong = wrong;
  }

  add(part: Part, path: string): void {
    const { cache } = part;
    switch (part.part.case) {
      case "text":
      case "refusal":
        this.say(part.part.value, cache);
        break;
      case "reasoning":
        this.think(part.part.value, path);
        if (cache) this.refuse(`${path}.cache`, "thoughts bear no mark: set it on what follows them");
        break;
      case "toolCall":
        this.call(part.part.value, cache, `${path}.tool_call`);
        break;
      case "citation":
        this.cite(part.part.value);
        break;
      case "providerPart": {
        const { provider, json } = part.part.value;
        if (provider !== CLAUDE) break;
        if (!isBlock(json)) this.refuse(`${path}.provider_part.json`, "must be the block as it came");
        this.blocks.push({ json: json.trim(), markable: true, cache });
        break;
      }
      default:
        misplaced(part, path, "assistant", this.wrong);
    }
  }

  say(text: string, cache: Part["cache"]): void {
    if (!isBlank(text)) this.blocks.push(textBlock(text, this.said, cache));
    this.said += text.length;
  }

  private think({ text, signature, redacted }: Reasoning, path: string): void {
    if (redacted) this.blocks.push(wholeBlock({ type: "redacted_thinking", data: redacted }));
    else if (signature) this.blocks.push(wholeBlock({ type: "thinking", thinking: text, signature }));
    else if (!text) this.refuse(`${path}.reasoning`, "is empty");
  }

  private call({ id, name, arguments: args, input }: ToolCall, cache: Part["cache"], path: string): void {
    if (!id) this.refuse(`${path}.id`, "the provider ties results to calls by their id");
    if (!name) this.refuse(`${path}.name`, "a call names its tool");
    if (input) this.refuse(`${path}.input`, "the provider's tools take JSON: send arguments");
    if (args && !isJsonObject(args)) this.refuse(`${path}.arguments`, "must be the text of a JSON object");
    this.blocks.push(
      wholeBlock({ type: "tool_use", id: plainCallId(id), name }, cache, { input: args || "{}" }),
    );
  }

  /**
   * A citation is about the block of text before it. Blocks that nothing else
   * stands between come as one text: what was not cited is taken off again.
   */
  private cite({ providerJson, startIndex }: Citation): void {
    const last = this.blocks.at(-1);
    if (!last || !isText(last) || !isCitation(providerJson)) return;
    const uncited = startIndex === undefined ? 0 : startIndex - last.at;
    if (uncited <= 0 || uncited >= last.text.length || last.citations.length > 0) {
      last.citations.push(providerJson);
      return;
    }
    const cited = textBlock(last.text.slice(uncited), last.at + uncited, last.cache);
    cited.citations.push(providerJson);
    last.text = last.text.slice(0, uncited);
    last.cache = undefined;
    this.blocks.push(cited);
  }

  private refuse(field: string, description: string): void {
    this.wrong.push({ field, description });
  }
}

function isBlock(json: string): boolean {
  return typeOf(json) !== "";
}

/** Anthropic's own, as each provider writes them in its own form. */
function isCitation(json: string): boolean {
  return typeOf(json).endsWith("_location");
}

function typeOf(json: string): string {
  try {
    const value: unknown = JSON.parse(json);
    const { type }: { readonly type?: unknown } = isObject(value) ? value : {};
    return typeof type === "string" ? type : "";
  } catch {
    return "";
  }
}
