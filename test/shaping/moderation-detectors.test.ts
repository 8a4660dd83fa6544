/** The quick ways to look for something find what one plain pattern would. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { around, behind, byPattern, byWord, type Detector } from "../../src/moderation/detector.ts";

function placesOf({ find }: Detector, text: string): string[] {
  return [...find(text)].map(({ start, end }) => `${start}-${end} ${text.slice(start, end)}`);
}

/** @param pieces of which texts are made */
function expectSame(quick: Detector, plain: Detector, pieces: readonly string[]): void {
  const texts = fc.array(fc.constantFrom(...pieces), { maxLength: 40 }).map((parts) => parts.join(""));
  let found = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const places = placesOf(plain, text);
      found += places.length;
      expect(placesOf(quick, text)).toEqual(places);
    }),
    { numRuns: 3_000 },
  );
  expect(found).toBeGreaterThan(300);
}

it("what stands behind a label, which may stand in what another one names", () => {
  const quick = behind("x", /\bkey\s{0,3}[:=]\s{0,3}"?/g, /[^\s"]{3,9}/y);
  const plain = byPattern("x", /(?<=\bkey\s{0,3}[:=]\s{0,3}"?)[^\s"]{3,9}/g);
  expectSame(quick, plain, ["key", ":", "=", " ", '"', "a", "bcd", "key=", "key: ", "-"]);
});

it("a word of so many letters and digits", () => {
  const quick = byWord("x", 4, (word) => /^[A-Z]/.test(word));
  const plain = byPattern("x", /(?<![\w-])[A-Z][A-Za-z0-9]{3}(?![\w-])/g);
  expectSame(quick, plain, ["A", "b", "1", "Abc", "Abcd", "-", "_", " ", ".", "é", "\ud83d\ude00"]);
});

it("what is around something, once where two of those are near each other", () => {
  const plain = byPattern("x", /(?<![a-z@])[a-z]{1,4}@[a-z]{1,4}(?![a-z@])/g);
  const quick = around(/@(?=[a-z])/g, 5, 6, plain);
  expectSame(quick, plain, ["@", "a", "bc", " a@bc", "@def ", " ", ".", "    ", "some more"]);
});
