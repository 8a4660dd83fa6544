/**
 * What a request will make a model read, before it is sent: what to expect, and what it will not exceed. Learns from
 * what providers measured. It knows no prices and no time.
 */
import { LRUMap } from "mnemonist";
import type { ModelRequest } from "../core/call.ts";
import { nameOf } from "../core/target.ts";
import { Calibration, type Offset } from "./calibration.ts";
import { type Asked, type Family, familyOf, textTokens, tokensAround } from "./family.ts";
import { type Features, featuresOf, isText, kindOf } from "./features.ts";
import { imageTokens } from "./images.ts";

export interface EstimateTarget extends Asked {
  /** The provider's name in the configuration. */
  readonly provider: string;
  readonly contextWindowTokens?: number | undefined;
}

export interface Estimate {
  readonly inputTokens: number;
  readonly maxInputTokens: number;
  /** What it was made of, for `observe`. */
  readonly features: Features;
}

export class Estimator {
  private readonly families = new Map<string, Calibration>();
  private readonly models = new LRUMap<string, Model>(MODELS);
  /** Whoever compares targets asks for the same request at each, and it is long to read. */
  private last: { readonly request: ModelRequest; readonly features: Features } | undefined;

  estimate(request: ModelRequest, target: EstimateTarget): Estimate {
    const features = this.featuresOf(request);
    const model = this.modelOf(target, features);
    const { mean, spread } = this.offsetOf(model);
    const raw = sizeOf(model.family, features);
    const images = imagesOf(features, target);
    const ratio = Math.exp(mean);
    const inputTokens = Math.round((raw.text + raw.around) * ratio + raw.files + images.tokens);
    const margin = Math.exp(Math.max(DEVIATIONS * spread, NARROWEST));
    const text = Math.min(features.text.bytes, raw.text * ratio * margin + raw.stray);
    const most = text + raw.around * Math.max(ratio, 1) * margin + raw.mostFiles + images.most + SLACK;
    const maxInputTokens = Math.ceil(Math.max(inputTokens, most, open(features, target)));
    return { inputTokens, maxInputTokens, features };
  }

  /** @param inputTokens measured by the provider, cached ones included */
  observe({ features }: Estimate, target: EstimateTarget, inputTokens: number): void {
    // Of what no one could know beforehand there is nothing to learn.
    if (!isText(features)) return;
    const model = this.modelOf(target, features);
    const raw = sizeOf(model.family, features);
    if (inputTokens <= 0 || raw.text + raw.around <= 0) return;
    const logRatio = Math.log(inputTokens / (raw.text + raw.around));
    const ofFamily = this.calibrationOf(model);
    model.calibration ??= new Calibration(ofFamily.offset.spread);
    // What holds for all of the family is learnt there.
    model.calibration.add(logRatio - ofFamily.offset.mean);
    ofFamily.add(logRatio);
  }

  private featuresOf(request: ModelRequest): Features {
    if (this.last?.request !== request) this.last = { request, features: featuresOf(request) };
    return this.last.features;
  }

  private modelOf(target: EstimateTarget, features: Features): Model {
    const kind = kindOf(features);
    const key = kind + nameOf(target);
    const known = this.models.get(key);
    if (known) return known;
    const family = familyOf(target);
    const model: Model = { family, familyKey: kind + family.name, calibration: undefined };
    this.models.set(key, model);
    return model;
  }

  private offsetOf({ family, familyKey, calibration }: Model): Offset {
    const ofFamily = this.families.get(familyKey)?.offset;
    const ofModel = calibration?.offset;
    return {
      mean: (ofFamily?.mean ?? 0) + (ofModel?.mean ?? 0),
      spread: ofModel?.spread ?? ofFamily?.spread ?? family.spread,
    };
  }

  private calibrationOf({ family, familyKey }: Model): Calibration {
    const known = this.families.get(familyKey);
    if (known) return known;
    const calibration = new Calibration(family.spread);
    this.families.set(familyKey, calibration);
    return calibration;
  }
}

interface Model {
  readonly family: Family;
  /** What its family learns it by. */
  readonly familyKey: string;
  /** Undefined before anything was measured of it. */
  calibration: Calibration | undefined;
}

/** Models whose measurements are remembered. */
const MODELS = 1_000;
/** How far above what is expected the maximum stands, in standard deviations and at least. */
const DEVIATIONS = 3;
const NARROWEST = 0.14;
/** What a short request has more than estimated says nothing of a long one. */
const SLACK = 12;
const LARGEST_WINDOW_TOKENS = 1_048_576;

function sizeOf(family: Family, features: Features) {
  const { fileBytes, remoteFiles } = features;
  return {
    text: textTokens(family, features.text),
    around: tokensAround(family, features),
    stray: family.text * family.foreign * features.text.strayTokens,
    files: fileBytes / BYTES_PER_FILE_TOKEN + remoteFiles * REMOTE_FILE,
    mostFiles: fileBytes + remoteFiles * MOST_REMOTE_FILE,
  };
}

/** Of a PDF and the like. */
const BYTES_PER_FILE_TOKEN = 16;
// Ten pages and a hundred, of up to 3,000 tokens: https://docs.claude.com/en/docs/build-with-claude/pdf-support
const REMOTE_FILE = 20_000;
const MOST_REMOTE_FILE = 300_000;

function imagesOf({ images }: Features, target: Asked) {
  let tokens = 0;
  let most = 0;
  for (const image of images) {
    const each = imageTokens(image, target);
    tokens += each.expected;
    most += each.most;
  }
  return { tokens, most };
}

/** Where the provider reads more than the request, it may fill the model's window each time it does. */
function open(
  { openRounds }: Features,
  { contextWindowTokens = LARGEST_WINDOW_TOKENS }: EstimateTarget,
): number {
  return openRounds * contextWindowTokens;
}
