/** What texts say for certain, and that they match only where they agree in it. */
import { describe, expect, it } from "vitest";
import { factsOf } from "../../../src/cache/semantic/facts.ts";
import { disagreement } from "../../../src/cache/semantic/guard.ts";
import { cpuMsOf } from "../../support/cpu.ts";

const between = (one: string, other: string) => {
  const [a, b] = [factsOf(one), factsOf(other)];
  const found = disagreement(a, b);
  // Whoever came first.
  expect(disagreement(b, a) === undefined).toBe(found === undefined);
  return found;
};

describe("texts do not match that differ in", () => {
  it.each([
    ["language", "What is love?", "Wie ist die Liebe und was ist sie?"],
    ["words", "Moskva?", "Москва?"],
    ["code", "What does `a` do?", "What does `b` do?"],
    ["code", "Explain:\n```\na = 1\n```", "Explain:\n```\na = 2\n```"],
    ["symbols", "Is a == b?", "Is a != b?"],
    ["symbols", "Is p ∧ q true?", "Is p ∨ q true?"],
    ["symbols", "Is 8 ÷ 2 even?", "Is 8 × 2 even?"],
    ["symbols", "What does it mean? 👍", "What does it mean? 👎"],
    ["symbols", "Is the € strong?", "Is the $ strong?"],
    ["symbols", "Is ₽50 enough?", "Is ₩50 enough?"],
    ["symbols", "Compute 5!", "Compute 5"],
    ["quotation", "Translate 'good day' to French", "Translate 'good night' to French"],
    ["quotation", 'What does "affect" mean?', 'What does "effect" mean?'],
    ["numbers", "Give me 5 tips", "Give me 6 tips"],
    ["numbers", "Give me five tips", "Give me ten tips"],
    ["numbers", "Is $50 enough?", "Is €50 enough?"],
    ["numbers", "Is 5 mg enough?", "Is 5 g enough?"],
    ["numbers", "What is 15% of 200?", "What is 15 of 200?"],
    ["numbers", "Remind me at 5pm", "Remind me at 5am"],
    ["numbers", "Events on 2020-01-05", "Events on 2020-01-06"],
    ["numbers", "Who was Henry VII?", "Who was Henry VIII?"],
    ["numbers", "Tell me of World War I", "Tell me of World War II"],
    ["numbers", "Subtract 5 from 10", "Subtract 10 from 5"],
    ["numbers", "What is new in Python 3.10?", "What is new in Python 3.1?"],
    ["numbers", "Where is order 12345678901234567890?", "Where is order 12345678901234567891?"],
    ["numbers", "Who is agent 007?", "Who is agent 7?"],
    ["numbers", "Is 100 ¥ enough?", "Is 100 ₹ enough?"],
    ["negation", "Which birds can fly?", "Which birds can't fly?"],
    ["negation", "Coffee with milk", "Coffee without milk"],
    ["negation", "I have no money and a car", "I have money and no car"],
    ["quantifier", "Do all birds fly?", "Do some birds fly?"],
    ["quantifier", "At least 8 characters", "At most 8 characters"],
    ["opposite", "How do I enable it?", "How do I disable it?"],
    ["opposite", "Eat before a run?", "Eat after a run?"],
    ["time", "Is it open today?", "Is it open tomorrow?"],
    ["question", "When was Mozart born?", "Where was Mozart born?"],
    ["question", "How many dogs are there?", "How old are dogs there?"],
    ["tense", "Who is the president?", "Who was the president?"],
    ["modality", "Should I freeze bread?", "Can I freeze bread?"],
    ["owner", "What is my name?", "What is your name?"],
    ["person", "Do you love me?", "Do I love you?"],
    ["words", "The capital of France", "The capital of Finland"],
    ["words", "Open config.yaml", "Open config.json"],
    ["words", "Is it legal?", "Is it illegal?"],
    ["bonds", "2 cats and 3 dogs", "2 dogs and 3 cats"],
    ["preposition", "A letter to John", "A letter from John"],
    ["bonds", "Is Java older than Go?", "Is Go older than Java?"],
    ["direction", "red car, blue house, tree", "blue car, red house, tree"],
  ])("%s", (what, one, other) => {
    expect(between(one, other)).toBe(what);
  });
});

describe("texts match that say the same", () => {
  it.each([
    ["How do I reset my password?", "What are the steps to reset my password?"],
    ["What is the capital of France?", "what's France's capital?"],
    ["Give me 5 tips", "Please give me five tips"],
    ["What is 1,000 divided by 8?", "What's 1000 divided by 8?"],
    ["Is 10 km far?", "Is ten kilometres far?"],
    ["Remind me at 5pm", "Remind me at 17:00"],
    ["It hasn't arrived", "It has not arrived"],
    ["How do I delete a branch in Git?", "How to remove a Git branch"],
    ["How can I sort a list in Python?", "In Python, how do I sort a list?"],
    ["Wie lange dauert der Flug?", "Wie lange dauert der Flug bitte?"],
    ["", ""],
  ])("%s = %s", (one, other) => {
    expect(between(one, other)).toBeUndefined();
  });
});

describe("facts", () => {
  it.each([
    ["twenty-five", ["#25"]],
    ["two hundred and one", ["#200", "#1"]],
    ["two hundred five", ["#205"]],
    ["1,500,000 and 2.5", ["#1500000", "#2.5"]],
    ["10k people", ["#10000"]],
    ["-5 C", ["#-5_c"]],
    ["a 5-year plan", ["#5_year"]],
    ["$1,000", ["#1000_usd"]],
    ["$2.50, 2.5 dollars", ["#2.5_usd", "#2.5_usd"]],
    ["3.10 and 3.1", ["#3.10", "#3.1"]],
    ["100 dollars", ["#100_usd"]],
    ["50%, 50 percent", ["#50_%", "#50_%"]],
    ["1.2.3 on 2024-05-06", ["@1_2_3", "@2024_05_06"]],
    ["no numbers", []],
  ])("numbers of %s", (text, numbers) => {
    expect(factsOf(text).numbers).toEqual(numbers);
  });

  it("are found of any text, in time that grows with its length", () => {
    const hostile = ["'", '"', "`", "a-", "a.a", "[", "1,", "I ", "twenty ", "/a", "how do ", "@", "~#"];
    const tookMs = cpuMsOf(() => {
      for (const piece of hostile) factsOf(piece.repeat(2_000 / piece.length));
    });
    expect(tookMs).toBeLessThan(2_000);
  });
});
