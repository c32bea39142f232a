/** How a piece of text looks where colours are wanted. */
export type Look = "plain" | "bold" | "dim" | "green" | "yellow" | "red" | "cyan" | "magenta";

/** A piece of a line: text, or text with a look. */
export type Span = string | readonly [look: Look, text: string];

/** One line of output, not yet painted: its width is known whatever its colours. */
export type Line = readonly Span[];

/** What a line is painted for. */
export interface Canvas {
  /** Columns; a longer line is cut. Infinity where nothing wraps. */
  readonly width: number;
  readonly color: boolean;
}

// Select Graphic Rendition codes of ECMA-48: what turns a look on, and what turns it off.
const renditions: Readonly<Record<Look, readonly [on: number, off: number] | null>> = {
  plain: null,
  bold: [1, 22],
  dim: [2, 22],
  green: [32, 39],
  yellow: [33, 39],
  red: [31, 39],
  cyan: [36, 39],
  magenta: [35, 39],
};

/** The text of a line with its colours, cut to the canvas. */
export function paint(line: Line, { width, color }: Canvas): string {
  const spans = line.map((span) => (typeof span === "string" ? (["plain", span] as const) : span));
  const whole = spans.reduce((sum, [, text]) => sum + text.length, 0) <= width;
  let room = whole ? width : width - 1;
  let painted = "";
  for (const [look, text] of spans) {
    const visible = text.slice(0, room);
    room -= visible.length;
    painted += color ? inLook(look, visible) : visible;
  }
  return whole ? painted.trimEnd() : `${painted}…`;
}

function inLook(look: Look, text: string): string {
  const rendition = renditions[look];
  return rendition === null || text === "" ? text : `\x1b[${rendition[0]}m${text}\x1b[${rendition[1]}m`;
}
