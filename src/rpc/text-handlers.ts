/** What operators read and delete of what was said in calls. Each reading is told in the log, and no word of the texts. */
import { create, type DescMethod, fromBinary } from "@bufbuild/protobuf";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import {
  type DeleteRequestTextsRequest,
  DeleteRequestTextsResponseSchema,
  type RequestText,
  RequestTextSchema,
} from "../../gen/ts/llmgateway/v1/usage_pb.ts";
import type { RequestContext } from "../core/call.ts";
import { invalidRequest } from "../core/failure.ts";
import type { TranscriptStore } from "../core/transcript-store.ts";
import type { Logger } from "../telemetry/log.ts";
import { tellOperator } from "./audit.ts";
import type { Handler } from "./door.ts";

export interface TextBackend {
  readonly texts: Pick<TranscriptStore, "get" | "delete">;
  /** Resolves once what was said by now is in the store. */
  flush(): Promise<void>;
  readonly logger: Logger;
}

export function deleteTextsHandler(backend: TextBackend): [DescMethod, Handler] {
  return [
    AdminService.method.deleteRequestTexts,
    async (message) => {
      const { id, all } = message as DeleteRequestTextsRequest;
      if (all === (id !== "")) {
        const description = all
          ? "must not be true beside id: leave it out to delete the texts of that request alone"
          : "must be true to delete all texts; or say of which request by id";
        throw invalidRequest([{ field: "all", description }]);
      }
      await backend.flush();
      const deleted = await backend.texts.delete(all ? undefined : id);
      return { message: create(DeleteRequestTextsResponseSchema, { deleted: BigInt(deleted) }) };
    },
  ];
}

/** @returns undefined where none is kept */
export async function readText(
  id: string,
  backend: TextBackend,
  context: RequestContext,
): Promise<RequestText | undefined> {
  const found = (await backend.texts.get(id)) ?? (await latest(id, backend));
  if (!found) return undefined;
  const text = fromBinary(RequestTextSchema, found);
  tellOperator(backend.logger, context, { text_of: text.callId }, "text read");
  return text;
}

async function latest(id: string, { texts, flush }: TextBackend): Promise<Uint8Array | undefined> {
  await flush();
  return texts.get(id);
}
