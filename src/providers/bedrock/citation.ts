/** Where a text comes from, as Converse says it. */
import type { Citation } from "@aws-sdk/client-bedrock-runtime";
import type { StreamResponse } from "../../../gen/ts/llmgateway/v1/chat_pb.ts";
import { event } from "../../core/reply.ts";
import type { Received } from "./wire.ts";

/** Its places are those in the source, not in the answer, so that the answer's stay absent. */
export function citationEvent(citation: object): StreamResponse {
  const { title, source, sourceContent, location }: Received<Citation> = citation;
  const quote = (Array.isArray(sourceContent) ? sourceContent : [])
    .map((piece) => textIn(piece?.text))
    .join("");
  return event({
    citation: {
      $typeName: "llmgateway.v1.Citation",
      title: textIn(title),
      url: textIn(location?.web?.url) || (/^https?:/.test(textIn(source)) ? textIn(source) : ""),
      quote,
      providerJson: JSON.stringify(citation),
    },
  });
}

/** Nothing to fail for: what is said stands without it. */
function textIn(value: unknown): string {
  return typeof value === "string" ? value : "";
}
