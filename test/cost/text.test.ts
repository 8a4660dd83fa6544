import fc from "fast-check";
import { countTokens as o200k } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, it } from "vitest";
import { addText, noText, type TextShape } from "../../src/cost/text.ts";

function shapeOf(...texts: readonly string[]): TextShape {
  const shape = noText();
  for (const text of texts) addText(shape, text);
  return shape;
}

function tokensOf(text: string): number {
  const { tokens, foreignTokens } = shapeOf(text);
  return tokens + foreignTokens;
}

const JSON_TEXT = JSON.stringify({
  type: "object",
  properties: {
    location: { type: "string", description: "The city, such as Kuala Lumpur" },
    days: { type: "integer" },
  },
  required: ["location", "days"],
});
const CODE =
  "export function sum(values: readonly number[]): number {\n  let total = 0;\n  for (const one of values) total += one;\n  return total;\n}\n";

describe("a text is about as many tokens as OpenAI counts", () => {
  it.each([
    [
      "English",
      "The gateway says for every request what it cost, and why. It picks a model and calls its provider.",
      0.1,
    ],
    [
      "German",
      "Das Gateway sagt für jede Anfrage, was sie gekostet hat und warum. Es wählt ein Modell selbst aus.",
      0.25,
    ],
    [
      "Russian",
      "Шлюз сообщает для каждого запроса, сколько он стоил и почему. Модели выбираются автоматически.",
      0.4,
    ],
    ["Arabic", "تخبرنا البوابة عن تكلفة كل طلب ولماذا. يتم اختيار النماذج تلقائيا.", 0.25],
    ["Hindi", "गेटवे हर अनुरोध के लिए बताता है कि इसकी लागत क्या थी और क्यों।", 0.25],
    ["Japanese", "ゲートウェイは、すべてのリクエストについて、その費用と理由を示します。", 0.25],
    ["Chinese", "网关会说明每个请求的费用及其原因。模型会自动选择,预算在调用之前预留。", 0.25],
    ["Korean", "게이트웨이는 모든 요청에 대해 비용이 얼마였는지, 왜 그런지 알려줍니다.", 0.25],
    ["JSON", JSON_TEXT, 0.2],
    ["code", CODE, 0.2],
    ["numbers", "In 2025 there were 1234567 calls, of which 42 failed: 0.0034 %.", 0.25],
    ["nothing", "", 0],
  ])("in %s", (_, text, error) => {
    const counted = o200k(text);
    expect(Math.abs(tokensOf(text) - counted)).toBeLessThanOrEqual(error * counted);
  });
});

describe("what a text may have at most", () => {
  const random = (letters: string, length: number) =>
    Array.from({ length }, (_, at) => letters[(at * at * 7 + at * 13 + (at >> 3)) % letters.length]).join("");

  it.each([
    ["letters that are no words", random("qxzjkvwbpfgh", 2_000)],
    [
      "a key in base64",
      Buffer.from(Array.from({ length: 1_500 }, (_, at) => (at * at * 31 + at * 7) % 251)).toString("base64"),
    ],
    ["a key in hexadecimal", random("0123456789abcdef", 2_000)],
    ["rare ideographs", "龘靐齉龗鱻麤飝驫羴猋"],
    ["Ethiopic", "መግቢያው ለእያንዳንዱ ጥያቄ ምን ያህል እንደወጣ ይናገራል"],
    ["emoji", "😀🎉👩‍👩‍👧".repeat(20)],
  ])("covers %s", (_, text) => {
    expect(tokensOf(text) + shapeOf(text).strayTokens).toBeGreaterThanOrEqual(o200k(text));
  });

  it("is little above what is expected of prose", () => {
    const prose = "The gateway says for every request what it cost, and why. ".repeat(20);
    expect(shapeOf(prose).strayTokens).toBeLessThan(0.25 * tokensOf(prose));
  });
});

it("bytes are those of UTF-8, and texts add up", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (one, other) => {
      expect(shapeOf(one, other).bytes).toBe(Buffer.byteLength(one) + Buffer.byteLength(other));
    }),
  );
});
