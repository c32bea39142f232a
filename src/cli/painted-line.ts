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
export function paint(line: Line, canvas: Canvas): string {
  let room = canvas.width;
  let painted = "";
  for (const span of line) {
    const [look, text] = typeof span === "string" ? (["plain", span] as const) : span;
    const visible = cutTo(text, room);
    room -= visible.length;
    painted += canvas.color ? inLook(look, visible) : visible;
    if (visible.length < text.length) break;
  }
  return painted.trimEnd();
}

function cutTo(text: string, room: number): string {
  if (text.length <= room) return text;
  return room < 1 ? "" : `${text.slice(0, room - 1)}…`;
}

function inLook(look: Look, text: string): string {
  const rendition = renditions[look];
  return rendition === null || text === "" ? text : `\x1b[${rendition[0]}m${text}\x1b[${rendition[1]}m`;
}
