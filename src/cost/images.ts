/** How many tokens a picture is, by its provider's rule and its own size. It looks at no more than its header. */
import { imageSize } from "image-size";
import type { Media } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import type { Asked } from "./family.ts";

export interface ImageTokens {
  /** By its size; what a picture of usual size has where that is not known. */
  readonly expected: number;
  /** The same where its size is known, and otherwise what no picture exceeds. */
  readonly most: number;
}

export function imageTokens(image: Media, { kind, model }: Asked): ImageTokens {
  const rule = RULES.find(([names]) => names.test(model))?.[1] ?? USUAL_RULE[kind] ?? SHARED;
  const size = sizeOf(image);
  if (!size)
    return {
      expected: rule(USUAL, image.detail),
      most: Math.max(...LARGE.map((one) => rule(one, image.detail))),
    };
  const tokens = rule(size, image.detail);
  return { expected: tokens, most: tokens };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

type Rule = (size: Size, detail: string) => number;

const USUAL: Size = { width: 1024, height: 1024 };
/** Each rule has its maximum at one of these. */
const LARGE: readonly Size[] = [
  { width: 6000, height: 6000 },
  { width: 8000, height: 2668 },
  { width: 8000, height: 4000 },
  { width: 8000, height: 1000 },
];

/** Where a picture's size stands, metadata before it included. */
const HEADER_BYTES = 128 * 1024;

function sizeOf({ source }: Media): Size | undefined {
  const header =
    source.case === "data"
      ? source.value.subarray(0, HEADER_BYTES)
      : source.case === "url"
        ? headerOf(source.value)
        : undefined;
  if (!header) return undefined;
  try {
    const { width, height } = imageSize(header);
    return width > 0 && height > 0 ? { width, height } : undefined;
  } catch {
    return undefined; // Of another kind, or broken: its provider may still read it.
  }
}

function headerOf(url: string): Uint8Array | undefined {
  if (!url.startsWith("data:")) return undefined;
  const from = url.indexOf(";base64,") + ";base64,".length;
  return from < ";base64,".length
    ? undefined
    : Buffer.from(url.slice(from, from + (HEADER_BYTES / 3) * 4), "base64");
}

/** Made smaller, keeping its shape, so that the longer side has so many pixels at most. */
function within({ width, height }: Size, longest: number): Size {
  const scale = Math.min(1, longest / Math.max(width, height));
  return { width: width * scale, height: height * scale };
}

function cells({ width, height }: Size, side: number): number {
  return Math.ceil(width / side) * Math.ceil(height / side);
}

// https://platform.openai.com/docs/guides/images-vision#calculating-costs: fits into 2048 pixels, then the shorter
// side into 768, and is cut into tiles of 512.
function tiles(base: number, tile: number): Rule {
  return (size, detail) => {
    if (detail === "low") return base;
    const { width, height } = within(size, 2048);
    const scale = Math.min(1, 768 / Math.min(width, height));
    return base + tile * cells({ width: Math.round(width * scale), height: Math.round(height * scale) }, 512);
  };
}

// The same page: patches of 32 pixels, up to a number, times a factor of the model.
function patches(factor: number, most: number): Rule {
  return (size) => Math.ceil(Math.min(cells(size, 32), most) * factor);
}

// https://platform.claude.com/docs/en/build-with-claude/vision: patches of 28 pixels (older models: pixels / 750,
// which is no more), after the longer side was made to fit.
function claude(longest: number, most: number): Rule {
  return (size) => Math.min(cells(within(size, longest), 28), most);
}

// https://ai.google.dev/gemini-api/docs/tokens: 258, and above 384 pixels 258 for each tile of up to 768, whose side
// is two thirds of the shorter one.
const gemini: Rule = ({ width, height }) => {
  if (width <= 384 && height <= 384) return 258;
  const side = Math.max(256, Math.min(768, Math.floor(Math.min(width, height) / 1.5)));
  return 258 * Math.min(cells({ width, height }, side), 64);
};

// https://ai.google.dev/gemini-api/docs/media-resolution: the default for pictures, whatever their size.
const gemini3: Rule = () => 1120;

// https://docs.mistral.ai/capabilities/vision: patches of 16 pixels within 1024 (Pixtral), of 28 within 1540 since,
// and one token at the end of each row.
function mistral(longest: number, side: number): Rule {
  return (size) => {
    const fit = within(size, longest);
    return cells(fit, side) + Math.ceil(fit.height / side);
  };
}

// https://docs.aws.amazon.com/nova/latest/userguide/modalities-image.html: its examples have 500 to 660 pixels a token.
const nova: Rule = ({ width, height }) => Math.min(Math.ceil((width * height) / 500), 4_000);

// Llama 3.2 cuts a picture into up to four tiles of 1,601 tokens; others stay below that.
const SHARED: Rule = ({ width, height }) => Math.min(Math.ceil((width * height) / 600) + 200, 6_500);

/** By the models' names; the first that fits. */
const RULES: readonly (readonly [RegExp, Rule])[] = [
  [/^gpt-4o-mini/, tiles(2833, 5667)],
  [/^(?:gpt-4\.1|gpt-5(?:\.\d)?)-mini/, patches(1.62, 1536)],
  [/^(?:gpt-4\.1|gpt-5(?:\.\d)?)-nano/, patches(2.46, 1536)],
  [/^o4-mini/, patches(1.72, 1536)],
  // The page leaves these open: patches and factor are what callers report, up to the 10,000 of a picture that is
  // kept as it is, which `auto` may do.
  [/^gpt-5\.\d/, (size, detail) => patches(1.2, detail === "high" ? 2_500 : 10_000)(size, detail)],
  [/^gpt-5/, tiles(70, 140)],
  [/^o[13]/, tiles(75, 150)],
  [/^(?:gpt|chatgpt)-/, tiles(85, 170)],
  [/claude-(?:[a-z]+-4-[7-9]|[a-z]+-[5-9]\b)/, claude(2576, 4784)],
  [/claude/, claude(1568, 1600)],
  [/gemini-[3-9]/, gemini3],
  [/gemini/, gemini],
  [/pixtral/, mistral(1024, 16)],
  [/mistral|magistral|ministral/, mistral(1540, 28)],
  [/nova/, nova],
];

const USUAL_RULE: Readonly<Record<string, Rule>> = {
  openai: tiles(85, 170),
  claude: claude(2576, 4784),
  gemini: gemini,
  mistral: mistral(1540, 28),
};
