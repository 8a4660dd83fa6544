/** What holds of keeping what is said when nothing is said of it. */
import { create } from "@bufbuild/protobuf";
import { type ContentCapture, ContentCaptureSchema } from "../../gen/ts/llmgateway/config/v1/config_pb.ts";
import type { Complete } from "./complete.ts";

export function completeCapture(
  given: ContentCapture = create(ContentCaptureSchema),
): Complete<ContentCapture> {
  return {
    ...given,
    enabled: given.enabled ?? false,
    maxBytesPerRequest: given.maxBytesPerRequest ?? 32_768,
    retentionDays: given.retentionDays ?? 7,
    maxTotalBytes: given.maxTotalBytes ?? 1_073_741_824n,
    redactPii: given.redactPii ?? true,
  };
}
