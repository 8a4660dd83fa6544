/**
 * Google's wire format as the gateway reads and writes it, on the types of the
 * official SDK. The one place that names that SDK, so that its successor is a
 * change to this file.
 */
import type {
  BlockedReason,
  ContentEmbedding,
  FinishReason,
  FunctionCallingConfigMode,
  FunctionDeclaration,
  GenerateContentResponse,
  GenerateContentResponseUsageMetadata,
  PartMediaResolutionLevel,
  Candidate as SdkCandidate,
  CitationMetadata as SdkCitationMetadata,
  FunctionResponse as SdkFunctionResponse,
  GenerationConfig as SdkGenerationConfig,
  Part as SdkPart,
  ThinkingConfig as SdkThinkingConfig,
  ThinkingLevel,
} from "@google/genai";

export type { FunctionDeclaration };

/** Google writes an enum as its name, or as its number when it was asked to. */
type Enum<E extends string> = `${E}` | number;

export type ThinkingConfig = Omit<SdkThinkingConfig, "thinkingLevel"> & {
  thinkingLevel?: `${ThinkingLevel}`;
};

export type GenerationConfig = Omit<SdkGenerationConfig, "thinkingConfig"> & {
  thinkingConfig?: ThinkingConfig;
};

export interface ToolConfig {
  functionCallingConfig: {
    mode: `${FunctionCallingConfigMode}`;
    allowedFunctionNames?: string[];
  };
}

export type FunctionResponse = Pick<SdkFunctionResponse, "id" | "name" | "response">;

/** A piece of what is sent. */
export type Part = Omit<SdkPart, "functionResponse" | "mediaResolution"> & {
  functionResponse?: FunctionResponse;
  mediaResolution?: { level: `${PartMediaResolutionLevel}` };
};

/** Gemini counts the tier that served here; Vertex AI says it as a type of traffic. */
export type UsageMetadata = Omit<GenerateContentResponseUsageMetadata, "trafficType"> & {
  readonly serviceTier?: unknown;
  readonly trafficType?: unknown;
};

/** Vertex AI lists `citations`, Gemini `citationSources`. */
export type CitationMetadata = SdkCitationMetadata & {
  readonly citationSources?: SdkCitationMetadata["citations"];
};

export type Candidate = Omit<SdkCandidate, "finishReason" | "citationMetadata"> & {
  readonly finishReason?: Enum<FinishReason>;
  readonly citationMetadata?: CitationMetadata;
};

/** A whole reply, or an element of a stream: both have the same fields. */
export type Reply = Partial<Pick<GenerateContentResponse, "modelVersion" | "responseId">> & {
  readonly candidates?: readonly Candidate[];
  readonly promptFeedback?: {
    readonly blockReason?: Enum<BlockedReason>;
    readonly blockReasonMessage?: string;
  };
  readonly usageMetadata?: UsageMetadata;
};

/** A vector. Vertex AI counts its tokens in `token_count`, as no SDK type says. */
export type Embedding = Pick<ContentEmbedding, "values"> & {
  readonly statistics?: { readonly tokenCount?: number; readonly token_count?: number };
};
