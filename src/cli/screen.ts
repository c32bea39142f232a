import { type Canvas, type Line, paint } from "./painted-line.js";
import { lastFrame, nextFrame } from "./screen-frame.js";

/** The part of a stream that is written to; a terminal has columns and rows. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** Where a command shows what happens. */
export interface Screen {
  /** Whether `live` draws in place. */
  readonly interactive: boolean;
  /** Rows of the terminal. */
  readonly rows: number;
  /** Prints lines that stay. */
  print(lines: readonly Line[]): void;
  /** Draws a block below everything printed, in place of the last one. Nothing where there is no terminal. */
  live(block: readonly Line[]): void;
  /** Takes the block away. Idempotent. */
  end(): void;
}

/** A screen on a terminal redraws in place; on a file or a pipe it prints lines. */
export function screenOn(stream: OutputStream, color: boolean): Screen {
  return stream.isTTY === true ? terminalScreen(stream, color) : plainScreen(stream, color);
}

function plainScreen(stream: OutputStream, color: boolean): Screen {
  return {
    interactive: false,
    rows: Number.POSITIVE_INFINITY,
    print: (lines) => void stream.write(lines.map((line) => `${paint(line, uncut(color))}\n`).join("")),
    live: () => {},
    end: () => {},
  };
}

function terminalScreen(stream: OutputStream, color: boolean): Screen {
  let block: readonly Line[] | null = null;
  let height = 0;
  const draw = (staying: readonly Line[]) => {
    // A line of the block that wrapped would take two rows. The last column stays free: writing it wraps some terminals.
    const canvas: Canvas = { width: Math.max(20, (stream.columns ?? 80) - 1), color };
    const frame = nextFrame(
      height,
      staying.map((line) => paint(line, uncut(color))),
      (block ?? []).map((line) => paint(line, canvas)),
    );
    height = frame.height;
    stream.write(frame.output);
  };
  return {
    ...plainScreen(stream, color),
    interactive: true,
    get rows() {
      return stream.rows ?? 24;
    },
    print: (lines) => (block === null ? plainScreen(stream, color).print(lines) : draw(lines)),
    live: (next) => {
      block = next;
      draw([]);
    },
    end: () => {
      if (block === null) return;
      stream.write(lastFrame(height));
      block = null;
      height = 0;
    },
  };
}

function uncut(color: boolean): Canvas {
  return { width: Number.POSITIVE_INFINITY, color };
}
