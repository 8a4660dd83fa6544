import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { MediaSchema } from "../../gen/ts/llmgateway/v1/message_pb.ts";
import { imageTokens } from "../../src/cost/images.ts";

type Source = NonNullable<MessageInitShape<typeof MediaSchema>["source"]>;

/** The beginning of a file is all that is read. */
const HEADERS = {
  png: (width: number, height: number) =>
    bytes([0x89, "PNG\r\n", 0x1a, "\n", be32(13), "IHDR", be32(width), be32(height), 8, 6, 0, 0, 0]),
  gif: (width: number, height: number) => bytes(["GIF89a", le16(width), le16(height), 0, 0, 0]),
  webp: (width: number, height: number) =>
    bytes([
      "RIFF",
      [22, 0, 0, 0],
      "WEBPVP8X",
      [10, 0, 0, 0],
      [0, 0, 0, 0],
      le24(width - 1),
      le24(height - 1),
    ]),
  jpeg: (width: number, height: number) =>
    bytes([
      [0xff, 0xd8, 0xff, 0xe0, 0, 16],
      "JFIF",
      [0, 1, 1, 0, 0, 1, 0, 1, 0, 0],
      [0xff, 0xc0, 0, 17, 8],
      be32(height).slice(2),
      be32(width).slice(2),
      [3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1, 0xff, 0xd9],
    ]),
};

function bytes(pieces: readonly (string | number | readonly number[])[]): Uint8Array {
  return Uint8Array.from(
    pieces.flatMap((piece) => (typeof piece === "string" ? [...Buffer.from(piece, "latin1")] : piece)),
  );
}

function be32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function le16(value: number): number[] {
  return [value & 255, value >>> 8];
}

function le24(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, value >>> 16];
}

function tokens(source: Source, model: string, { kind = "", detail = "" } = {}) {
  return imageTokens(create(MediaSchema, { source, mediaType: "image/png", detail }), { kind, model });
}

function png(width: number, height: number): Source {
  return { case: "data", value: HEADERS.png(width, height) };
}

describe("a picture has as many tokens as its provider's own examples", () => {
  it.each([
    // https://platform.openai.com/docs/guides/images-vision#calculating-costs
    ["gpt-4o", 1024, 1024, 765],
    ["gpt-4o", 2048, 4096, 1105],
    ["gpt-4.1", 1024, 1024, 765],
    ["gpt-4o-mini", 1024, 1024, 25_501],
    ["o1", 512, 512, 225],
    ["gpt-5", 512, 512, 210],
    ["gpt-4.1-mini", 1024, 1024, 1_659],
    ["gpt-4.1-nano", 1024, 1024, 2_520],
    ["o4-mini", 128, 64, 14],
    // https://platform.claude.com/docs/en/build-with-claude/vision
    ["claude-sonnet-4-5", 200, 200, 64],
    ["claude-sonnet-4-5", 1000, 1000, 1_296],
    ["us.anthropic.claude-3-7-sonnet-20250219-v1:0", 8000, 8000, 1_600],
    ["claude-opus-4-7", 8000, 8000, 4_784],
    ["claude-opus-5", 1000, 1000, 1_296],
    // https://ai.google.dev/gemini-api/docs/tokens
    ["gemini-2.5-flash", 384, 384, 258],
    ["gemini-2.5-flash", 960, 540, 258 * 6],
    ["gemini-3-pro-preview", 960, 540, 1_120],
    ["pixtral-12b-2409", 1024, 1024, 64 * 64 + 64],
  ])("for %s with %i by %i: %i", (model, width, height, expected) => {
    expect(tokens(png(width, height), model)).toEqual({ expected, most: expected });
  });

  it("and few in low detail, where there is such a thing", () => {
    expect(tokens(png(2048, 4096), "gpt-4o", { detail: "low" }).expected).toBe(85);
    expect(tokens({ case: "url", value: "https://example.com/a.png" }, "gpt-4o", { detail: "low" })).toEqual({
      expected: 85,
      most: 85,
    });
  });
});

describe("its size is read", () => {
  it.each(Object.entries(HEADERS))("from %s", (_, header) => {
    expect(tokens({ case: "data", value: header(640, 360) }, "claude-sonnet-4-5").most).toBe(23 * 13);
  });

  it("from a data: URL", () => {
    const base64 = Buffer.from(HEADERS.png(640, 360)).toString("base64");
    const source = { case: "url", value: `data:image/png;base64,${base64}` } as const;
    expect(tokens(source, "claude-sonnet-4-5").most).toBe(23 * 13);
  });

  it.each<[string, Source]>([
    ["another address", { case: "url", value: "https://example.com/a.png" }],
    ["an uploaded file", { case: "fileId", value: "file-1" }],
    ["a data: URL without base64", { case: "url", value: "data:image/svg+xml,%3Csvg" }],
    ["something else", { case: "data", value: Buffer.from("no picture at all") }],
    ["a beginning that broke off", { case: "data", value: HEADERS.png(640, 360).slice(0, 18) }],
    ["an empty picture", png(0, 0)],
  ])("not from %s: then the rule's maximum holds", (_, source) => {
    expect(tokens(source, "gpt-4o")).toEqual({ expected: 765, most: 1_445 });
  });
});

it.each([
  ["openai", "gpt-4o"],
  ["openai", "gpt-4o-mini"],
  ["openai", "gpt-4.1-nano"],
  ["openai", "gpt-5.4"],
  ["openai", "new-model"],
  ["claude", "claude-3-haiku-20240307"],
  ["claude", "claude-opus-5"],
  ["gemini", "gemini-2.0-flash"],
  ["mistral", "mistral-medium-latest"],
  ["bedrock", "amazon.nova-lite-v1:0"],
  ["bedrock", "meta.llama3-2-11b-instruct-v1:0"],
  ["openai_compatible", "my-model"],
])("no size of picture exceeds the maximum of %s/%s", (kind, model) => {
  const { expected, most } = tokens({ case: "url", value: "https://example.com/a.png" }, model, { kind });
  expect(expected).toBeLessThanOrEqual(most);
  for (const width of [1, 200, 385, 768, 1024, 1568, 2048, 3000, 5333, 8000]) {
    for (const height of [1, 300, 512, 1000, 2049, 4000, 8000]) {
      const size = tokens(png(width, height), model, { kind }).most;
      expect(size, `${width} by ${height}`).toBeLessThanOrEqual(most);
      expect(size).toBeGreaterThan(0);
    }
  }
});
