/** Numbers, times and units in a text, each as one name for all ways to write it. */

/** A number with its unit as one token, such as `#10 km`, in the place where it stood. */
export function withNumbers(text: string, words: ReadonlyMap<string, number>): string {
  const digits = spelled(text, words)
    // Times of the day.
    .replace(/\b(\d{1,2})(?::(\d{2}))?\s?([ap])\.?m\b\.?/g, (_, hour, minute = "00", half) => {
      const hours = (Number(hour) % 12) + (half === "p" ? 12 : 0);
      return ` @${hours}_${minute} `;
    })
    .replace(/(?<![@\d])\b(\d{1,2}):(\d{2})\b/g, (_, hour, minute) => ` @${Number(hour)}_${minute} `)
    // Dates as ISO has them, and versions, stand as they are.
    .replace(/\b\d+(?:-\d+){2}\b|\bv?\d+(?:\.\d+){2,}\b/g, (whole) => ` @${whole.replace(/\W/g, "_")} `)
    .replace(/\b(\d{1,3}(?:,\d{3})+)\b/g, (whole) => whole.replaceAll(",", ""));
  return digits.replace(NUMBER, (_, before, sign, currency, number, scale, unit) => {
    const name = CURRENCIES[currency ?? ""] ?? unitOf(unit ?? "");
    // Else as it is written: 3.10 is another version than 3.1, and identifiers have more digits than a number keeps.
    const isAmount = scale !== undefined || MONEY.has(name ?? "");
    const value = isAmount ? Number(number) * (SCALES[scale ?? ""] ?? 1) : number;
    return `${before} #${sign ? "-" : ""}${value}${name ? `_${name}` : ""} `;
  });
}

/** The one name of a unit; undefined for what is none. */
export function unitOf(word: string): string | undefined {
  return UNITS.get(word.trim());
}

const SCALES: Readonly<Record<string, number>> = { k: 1e3, bn: 1e9 };
const CURRENCIES: Readonly<Record<string, string>> = {
  $: "usd",
  "€": "eur",
  "£": "gbp",
  "¥": "yen",
  "₹": "inr",
};
const MONEY: ReadonlySet<string> = new Set(Object.values(CURRENCIES));
const UNITS = new Map(
  `% percent pct
  usd dollar dollars $
  eur euro euros €
  gbp pound-sterling £
  yen jpy ¥
  inr rupee rupees ₹
  km kilometer kilometers kilometre kilometres
  m meter meters metre metres
  cm centimeter centimeters centimetre centimetres
  mm millimeter millimeters
  mi mile miles
  ft foot feet
  inch inches
  yd yard yards
  kg kilogram kilograms kilo kilos
  g gram grams
  mg milligram milligrams
  lb lbs pound pounds
  oz ounce ounces
  l liter liters litre litres
  ml milliliter milliliters
  s sec secs second seconds
  min mins minute minutes
  h hr hrs hour hours
  d day days
  week weeks
  month months
  year years
  c celsius °c
  f fahrenheit °f
  kb kilobyte kilobytes
  mb megabyte megabytes
  gb gigabyte gigabytes
  tb terabyte terabytes
  v volt volts
  w watt watts
  kw kilowatt kilowatts
  teaspoon teaspoons tsp
  tablespoon tablespoons tbsp`
    .split("\n")
    .flatMap((line) => {
      const [name = "", ...others] = line.trim().split(" ");
      return [name, ...others].map((word) => [word, name] as const);
    }),
);

const UNIT = [...UNITS.keys()]
  .sort((a, b) => b.length - a.length)
  .join("|")
  .replaceAll("$", "\\$");
const NUMBER = new RegExp(
  `(^|[^\\w@#.])([-−](?=[\\d$€£]))?([$€£¥₹])?\\s?(\\d+(?:\\.\\d+)?)(k|bn)?(?:s?(?![\\w.]*\\w)|(?=\\s))(?:[\\s-]?(?:degrees? )?(${UNIT})(?![\\w]))?`,
  "g",
);

/** `twenty five` as 25, `two hundred` as 200. */
function spelled(text: string, words: ReadonlyMap<string, number>): string {
  if (words.size === 0) return text;
  const out: string[] = [];
  let value: number | undefined;
  let gap = "";
  for (const piece of text.split(/([^\p{L}\p{N}']+)/u)) {
    const number = words.get(piece);
    if (number === undefined) {
      if (value !== undefined && (/^[\s-]+$/.test(piece) || piece === "")) {
        gap += piece;
        continue;
      }
      if (value !== undefined) out.push(String(value));
      out.push(gap, piece);
      [value, gap] = [undefined, ""];
      continue;
    }
    if (value === undefined) value = number;
    else if (number >= 100) value = (value || 1) * number;
    else if (value >= 20 && value % 10 === 0 && number < (value % 100 === 0 ? 100 : 10)) value += number;
    else {
      out.push(String(value), gap || " ");
      value = number;
    }
    gap = "";
  }
  if (value !== undefined) out.push(String(value));
  out.push(gap);
  return out.join("");
}
