/** Sends a call the way of its variant, where it is part of an experiment. Which that is is for the experiment to say. */
import type { ChatRequest } from "../../gen/ts/llmgateway/v1/chat_pb.ts";
import type { Assignment, Call, Layer } from "../core/call.ts";

export interface ExperimentMeans {
  /** Undefined for a call that is part of none. */
  join(call: Call): { readonly assignment: Assignment; readonly request: ChatRequest } | undefined;
}

export function experiment(means: ExperimentMeans): Layer {
  return (next) => (call) => {
    const joined = means.join(call);
    if (!joined) return next(call);
    call.tally.experiment = joined.assignment;
    return next({ ...call, request: joined.request });
  };
}
