/** The official SDK, signed in the name of nobody in particular. */
import { BedrockRuntimeClient } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";

export function bedrockClient(
  endpoint: string,
  secretAccessKey = "secret",
  sessionToken?: string,
): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey, ...(sessionToken ? { sessionToken } : {}) },
    // By itself it speaks HTTP/2.
    requestHandler: new NodeHttpHandler(),
    maxAttempts: 1,
  });
}
