/** Texts that grow, as columns beside each other: a row is printed once nothing can change it. It knows nothing of models. */

const BETWEEN = " │ ";
/** In less, words are cut to pieces. */
const LEAST_WIDTH = 24;

/** How wide each of so many columns can be; undefined when that is too little to read. */
export function widthOf(count: number, terminal: number | undefined): number | undefined {
  if (terminal === undefined) return undefined;
  const width = Math.floor((terminal - BETWEEN.length * (count - 1)) / count);
  return width >= LEAST_WIDTH ? width : undefined;
}

export class Columns {
  private readonly columns: readonly Column[];
  private readonly write: (text: string) => void;
  private printed = 0;

  constructor(heads: readonly string[], width: number, write: (text: string) => void) {
    this.columns = heads.map(() => new Column(width));
    this.write = write;
    for (const [at, head] of heads.entries()) this.say(at, `${head}\n${"─".repeat(width)}\n`);
  }

  say(at: number, text: string): void {
    this.columns[at]?.say(text);
    this.print();
  }

  /** @param foot what stands under the text */
  end(at: number, foot: string): void {
    this.columns[at]?.end(foot);
    this.print();
  }

  private print(): void {
    for (;;) {
      const rows = this.columns.map((column) => column.row(this.printed));
      if (rows.includes(undefined) || this.columns.every(({ height }) => height <= this.printed)) return;
      this.write(`${rows.join(BETWEEN).trimEnd()}\n`);
      this.printed++;
    }
  }
}

class Column {
  private readonly width: number;
  private readonly rows: string[] = [];
  private line = "";
  private isOver = false;

  constructor(width: number) {
    this.width = width;
  }

  get height(): number {
    return this.rows.length;
  }

  /** Undefined while it may still change. */
  row(at: number): string | undefined {
    const row = this.rows[at] ?? (this.isOver ? "" : undefined);
    return row === undefined ? undefined : row + " ".repeat(Math.max(0, this.width - cellsOf(row)));
  }

  say(text: string): void {
    const [first = "", ...more] = text.replaceAll("\t", "  ").split("\n");
    this.extend(first);
    for (const line of more) {
      this.rows.push(this.line);
      this.line = "";
      this.extend(line);
    }
  }

  end(foot: string): void {
    if (this.line) this.rows.push(this.line);
    this.line = "";
    this.say(foot);
    this.rows.push(this.line);
    this.isOver = true;
  }

  /** What a terminal would obey instead of showing it is left out. */
  private extend(text: string): void {
    this.line += text.replace(/\p{Cc}/gu, "");
    while (cellsOf(this.line) > this.width) {
      const fitting = startOf(this.line, this.width);
      const space = this.line[fitting.length] === " " ? fitting.length : fitting.lastIndexOf(" ");
      const cut = space > 0 ? space : fitting.length;
      this.rows.push(this.line.slice(0, cut));
      this.line = this.line.slice(cut).trimStart();
    }
  }
}

const GRAPHEMES = new Intl.Segmenter();
const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\uff01-\uff60\u3000-\u303f]/u;

/** How many places of a terminal a text takes. */
function cellsOf(text: string): number {
  // What is plain needs no look at each letter.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let cells = 0;
  for (const { segment } of GRAPHEMES.segment(text)) cells += WIDE.test(segment) ? 2 : 1;
  return cells;
}

/** The longest beginning that takes so many places; never empty, or it would have no end. */
function startOf(text: string, width: number): string {
  let cells = 0;
  let fitting = "";
  for (const { segment } of GRAPHEMES.segment(text)) {
    cells += WIDE.test(segment) ? 2 : 1;
    if (cells > width && fitting) break;
    fitting += segment;
  }
  return fitting;
}
