/** What each RPC about experiments does. What they decide is theirs; who may call them is the door's to say. */
import { create, type DescMethod } from "@bufbuild/protobuf";
import { AdminService } from "../../gen/ts/llmgateway/v1/admin_pb.ts";
import {
  type Experiment,
  type GetExperimentsRequest,
  GetExperimentsResponseSchema,
  type PromoteVariantRequest,
  type RecordFeedbackRequest,
  type RecordFeedbackResponse,
  RecordFeedbackResponseSchema,
  type StopExperimentRequest,
} from "../../gen/ts/llmgateway/v1/experiment_pb.ts";
import { GatewayService } from "../../gen/ts/llmgateway/v1/gateway_pb.ts";
import type { RequestContext } from "../core/call.ts";
import type { ExperimentStore } from "../core/experiment-store.ts";
import { Failure, invalidRequest } from "../core/failure.ts";
import { hashOf } from "../core/rendezvous.ts";
import type { Answered } from "../experiments/answered.ts";
import type { Laboratory, Standing } from "../experiments/laboratory.ts";
import { GROUPS } from "../experiments/moments.ts";
import type { Handler } from "./door.ts";
import { experimentMessage } from "./experiment-message.ts";

export interface ExperimentBackend {
  readonly laboratory: Laboratory;
  readonly store: Pick<ExperimentStore, "variantOf">;
  /** Told of feedback that counts. */
  rated(experiment: string, variant: string, score: number): void;
  /** Has what other processes have counted. */
  sync(): Promise<void>;
}

export function experimentHandlers(backend: ExperimentBackend): ReadonlyMap<DescMethod, Handler> {
  const { getExperiments, promoteVariant, stopExperiment } = AdminService.method;
  return new Map<DescMethod, Handler>([
    [
      GatewayService.method.recordFeedback,
      async (message, context) => ({
        message: await rate(message as RecordFeedbackRequest, context, backend),
      }),
    ],
    [
      getExperiments,
      async (message) => {
        await backend.sync();
        const { name } = message as GetExperimentsRequest;
        const wanted = name ? [found("name", name, backend)] : backend.laboratory.all;
        const experiments = wanted.map(experimentMessage).sort((a, b) => (a.name < b.name ? -1 : 1));
        return { message: create(GetExperimentsResponseSchema, { experiments }) };
      },
    ],
    [promoteVariant, async (message) => ({ message: promote(message as PromoteVariantRequest, backend) })],
    [
      stopExperiment,
      async (message) => {
        const standing = found("experiment", (message as StopExperimentRequest).experiment, backend);
        standing.trial.stop();
        return { message: experimentMessage(standing) };
      },
    ],
  ]);
}

function promote({ experiment, variant }: PromoteVariantRequest, backend: ExperimentBackend): Experiment {
  const standing = found("experiment", experiment, backend);
  const names = standing.rule.ways.map(({ name }) => name);
  if (variant && !names.includes(variant)) {
    const description = `${experiment} has no variant "${variant}"; there are ${names.join(", ")}`;
    throw new Failure("not_found", `variant: ${description}`, {
      violations: [{ field: "variant", description }],
    });
  }
  standing.trial.promote(variant);
  return experimentMessage(standing);
}

function found(field: string, name: string, { laboratory }: ExperimentBackend): Standing {
  const standing = laboratory.find(name);
  if (standing) return standing;
  const there = laboratory.all.map(({ rule }) => rule.entry.name).join(", ") || "none";
  const description = `there is no experiment "${name}"; there are ${there}`;
  throw new Failure("not_found", `${field}: ${description}`, { violations: [{ field, description }] });
}

async function rate(
  { requestId, score, thumbs }: RecordFeedbackRequest,
  { tenant }: RequestContext,
  backend: ExperimentBackend,
): Promise<RecordFeedbackResponse> {
  if ((score === undefined) === (thumbs === "")) {
    const description =
      score === undefined ? "is missing; give it from 0 to 1, or thumbs" : "must not be given beside thumbs";
    throw invalidRequest([{ field: "score", description }]);
  }
  const said = score ?? (thumbs === "up" ? 1 : 0);
  const { laboratory } = backend;
  const answered =
    laboratory.answered.find(tenant, requestId) ?? (await recalled(tenant, requestId, backend));
  const standing = answered && laboratory.find(answered.experiment);
  if (!answered || !standing) {
    const description =
      "no call of your tenant that an experiment's variant answered has this request_id, or its experiment is no more";
    throw new Failure("not_found", `request_id: ${description}`, {
      violations: [{ field: "request_id", description }],
    });
  }
  const { experiment, variant, group, score: earlier } = answered;
  standing.trial.rate(variant, said, group, earlier);
  answered.score = said;
  backend.rated(experiment, variant, said);
  return create(RecordFeedbackResponseSchema, {
    experiment,
    variant,
    score: said,
    replaced: earlier !== undefined,
  });
}

/** What another process answered, or this one long ago. */
async function recalled(
  tenant: string,
  requestId: string,
  { laboratory, store }: ExperimentBackend,
): Promise<Answered | undefined> {
  const kept = await store.variantOf(tenant, requestId);
  if (!kept) return undefined;
  const { name, group = hashOf(requestId) % GROUPS } = kept;
  // A variant may have slashes in its name, an experiment has none.
  const slash = name.indexOf("/");
  const answered: Answered = {
    experiment: name.slice(0, slash),
    variant: name.slice(slash + 1),
    group,
    score: undefined,
  };
  laboratory.answered.add(tenant, requestId, answered);
  return answered;
}
