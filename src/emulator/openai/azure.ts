/** What Azure adds to OpenAI's wire format: the deployment in the path, and the content filter's verdicts. */

/** The deployment that a path names, or undefined when the path is not Azure's. */
export function azureDeployment(path: string): string | undefined {
  const match = /\/openai\/deployments\/([^/]+)\//.exec(path);
  return match?.[1] === undefined ? undefined : decodeSegment(match[1]);
}

/** A path's segment without its escapes; as it is when they are malformed. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

const SAFE = { filtered: false, severity: "safe" };

/** The verdict on one text: nothing was filtered. */
export const CONTENT_FILTER_RESULTS = { hate: SAFE, self_harm: SAFE, sexual: SAFE, violence: SAFE };

/** The verdict on the prompt. A stream brings it in a chunk of its own before all others. */
export const PROMPT_FILTER_RESULTS = [{ prompt_index: 0, content_filter_results: CONTENT_FILTER_RESULTS }];
