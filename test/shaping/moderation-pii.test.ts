/** What is taken for personal data, by labelled texts of several countries, and how long that takes. */
import { describe, expect, it } from "vitest";
import { blocklist } from "../../src/moderation/blocklist.ts";
import { PII_CATEGORIES, pii } from "../../src/moderation/pii.ts";
import { secrets } from "../../src/moderation/secrets.ts";
import { cpuMsOf } from "../support/cpu.ts";
import { LABELLED, type Score, score } from "./labelled.ts";

function found(text: string, categories: readonly string[] = []): string[] {
  return pii(categories)
    .find(text)
    .map(({ start, end, category }) => `${category}:${text.slice(start, end)}`);
}

describe("personal data in labelled texts", () => {
  const print = (name: string, { texts, precision, recall }: Score) =>
    console.log(`${name}: ${texts} texts, precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}`);

  it("is found, and little else, in texts that the patterns were written by and in others", () => {
    expect(LABELLED.length).toBeGreaterThanOrEqual(300);
    for (const isHeldOut of [false, true]) {
      const scored = score(
        LABELLED.filter((one) => one.isHeldOut === isHeldOut),
        (text) => found(text),
      );
      print(isHeldOut ? "held out" : "known", scored);
      expect(scored.texts).toBeGreaterThan(140);
      expect(scored.precision, scored.wrong.join("\n")).toBeGreaterThanOrEqual(0.97);
      expect(scored.recall, scored.wrong.join("\n")).toBeGreaterThanOrEqual(0.97);
    }
  });

  it("has texts of every kind that there is", () => {
    const labelled = LABELLED.flatMap(({ expected }) => expected.map((one) => one.split(":")[0]));
    expect([...new Set(labelled)].sort()).toEqual([...PII_CATEGORIES].sort());
  });

  it("is looked for as far as the configuration says", () => {
    const text = "Ann <ann@example.com>, card 4111 1111 1111 1111";
    expect(found(text)).toEqual(["email:ann@example.com", "card:4111 1111 1111 1111"]);
    expect(found(text, ["card"])).toEqual(["card:4111 1111 1111 1111"]);
  });
});

describe("personal data in JSON that stands in a text", () => {
  const VALUES = [
    "ann@example.com",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "+49 30 901820",
    "tel. 030 901820",
    "123-45-6789",
    "8.8.4.4",
    "2001:4860:4860::8888",
  ];
  const BEFORE = ["\\n", "\\r\\n", "\\t", "\\\\n", "\\u00a0", "\\u202F"];

  it.each(VALUES)("is found behind the end of a line: %s", (value) => {
    const [expected] = found(`Look: ${value}`);
    expect(expected).toBeDefined();
    for (const before of BEFORE)
      expect(found(`Sum up {"note":"Look:${before}${value}${before}Bye"}`), before).toEqual([expected]);
  });

  it("hides no blocked word, nor one with a backslash of its own", () => {
    const { find } = blocklist(["project falcon", "c:\\new"], []);
    const words = (text: string) => find(text).map(({ start, end }) => text.slice(start, end));
    for (const before of BEFORE)
      expect(words(`{"note":"Hi${before}Project Falcon${before}"}`), before).toEqual(["Project Falcon"]);
    expect(words("In C:\\new, not C:\\newer")).toEqual(["C:\\new"]);
  });

  it("is no number that goes on behind it", () => {
    expect(found('{"rows":"4111 1111\\n1111 1111"}')).toEqual(found("4111 1111\n1111 1111"));
  });

  it("is held back in a stream like any other", () => {
    const text = '{"note":"Look:\\n4111 1111 1111 1111';
    const start = text.indexOf("4111");
    for (let end = start + 1; end <= text.length; end++)
      expect(pii([]).heldFrom(text.slice(0, end))).toBeLessThanOrEqual(start);
  });
});

describe("a labelled secret", () => {
  const SECRETS = { password: "hunter2!x", api_key: "0123456789abcdef", note: "Bearer 0123456789abcdef" };
  const ADDRESSES = { site: "https://example.com", other: "http://example.com:80", mail: "ann@example.com" };

  it.each([0, 1, 2, 3])("is found in JSON that stands in so many texts of JSON: %d", (depth) => {
    const nested = (value: unknown, times: number): string =>
      times === 0 ? JSON.stringify(value) : JSON.stringify({ inner: nested(value, times - 1) });
    const unnested = (text: string, times: number): unknown =>
      times === 0 ? JSON.parse(text) : unnested(JSON.parse(text).inner, times - 1);
    const text = nested({ ...SECRETS, ...ADDRESSES, db: "postgres://me:hunter2!x@db" }, depth);
    let clean = text;
    for (const { start, end } of secrets([]).find(text).toReversed())
      clean = `${clean.slice(0, start)}[out]${clean.slice(end)}`;
    expect(unnested(clean, depth)).toEqual({
      ...{ password: "[out]", api_key: "[out]", note: "Bearer [out]", db: "postgres://me:[out]@db" },
      ...ADDRESSES,
    });
  });
});

it("no number is a card whose check digit is wrong", () => {
  let random = 7;
  const digit = () => {
    random = (random * 48_271) % 2_147_483_647;
    return random % 10;
  };
  let cards = 0;
  for (let round = 0; round < 5_000; round++) {
    const head = ["4", "51", "2221", "37", "6011", "36", "62"][round % 7] ?? "";
    const digits = head + Array.from({ length: 16 - head.length }, digit).join("");
    const text = round % 2 ? digits : (digits.match(/.{4}/g) ?? []).join(" ");
    const isRight = [...digits].reverse().reduce((sum, char, index) => {
      const twice = Number(char) * (1 + (index % 2));
      return sum + (twice > 9 ? twice - 9 : twice);
    }, 0);
    const isFound = found(text, ["card"]).length > 0;
    if (isFound) cards++;
    // Of sixteen digits only those of some issuers are cards.
    if (isFound) expect(isRight % 10, text).toBe(0);
  }
  expect(cards).toBeGreaterThan(200);
});

describe("texts that are meant to take long", () => {
  const hostile: Readonly<Record<string, (size: number) => string>> = {
    "one letter": (size) => "a".repeat(size),
    "one digit": (size) => "4".repeat(size),
    "digits apart": (size) => "4 ".repeat(size / 2),
    "groups of digits": (size) => "4111 ".repeat(size / 5),
    "an address without an end": (size) => "a@a.".repeat(size / 4),
    "at signs": (size) => "a@".repeat(size / 2),
    dots: (size) => "a.".repeat(size / 2),
    "dots and a letter": (size) => `${".a-".repeat(size / 3)}@`,
    "the beginnings of accounts": (size) => "GB82 ".repeat(size / 5),
    "many addresses": (size) => "ann@example.com ".repeat(size / 16),
    colons: (size) => ":a".repeat(size / 2),
    brackets: (size) => "(+".repeat(size / 2),
    "the beginnings of keys": (size) => "-----BEGIN A PRIVATE KEY-----".repeat(size / 29),
    dashes: (size) => "-----BEGIN RSA PRIVATE KEY-----".padEnd(size, "-"),
    passwords: (size) => "password: ".repeat(size / 10),
    tokens: (size) => "eyJaaaaaaaaa.".repeat(size / 13),
    labels: (size) => "Bearer ".repeat(size / 7),
    backslashes: (size) => `password: a1${"\\".repeat(size)}`,
    "quotes with backslashes": (size) => `password\\\\":\\\\"`.repeat(size / 15),
    spaces: (size) => " ".repeat(size),
    "addresses of the web": (size) => "://a:".repeat(size / 5),
  };
  const all = [pii([]), secrets([]), blocklist(["forbidden", "a".repeat(100)], ["(a+)+b", "(x|x)*y"])];

  it.each(Object.entries(hostile))(
    "of %s take four times as long when they are four times as long",
    (_, make) => {
      const [short, long] = [make(50_000), make(200_000)];
      const took = (text: string) =>
        cpuMsOf(() => {
          for (const { find, heldFrom } of all) {
            find(text);
            heldFrom(text);
          }
        });
      const best = (text: string) => Math.min(took(text), took(text), took(text));
      const shortMs = best(short);
      const longMs = best(long);
      // Were it the square, it would be sixteen times, and seconds.
      expect(longMs).toBeLessThan(10 * shortMs + 300);
    },
    30_000,
  );

  it("of the beginnings of tokens take no longer for each than others", () => {
    const took = (text: string) => cpuMsOf(() => secrets([]).find(text));
    const best = (text: string) => Math.min(took(text), took(text), took(text));
    const [usual, hostile] = [best("So it is. ".repeat(40_000)), best("-eyJ".repeat(100_000))];
    expect(hostile).toBeLessThan(10 * usual + 100);
  });
});
