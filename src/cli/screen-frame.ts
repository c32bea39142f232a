/** What a terminal shows below everything that has scrolled by: the block that is drawn again and again. */
export interface Frame {
  /** What to write to the terminal. */
  readonly output: string;
  /** Lines the block takes, to be gone over by the next frame. */
  readonly height: number;
}

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
const clearBelow = "\x1b[J";

/** Goes back over the last block, prints lines that stay, and draws the block anew below them. */
export function nextFrame(previousHeight: number, staying: readonly string[], block: readonly string[]): Frame {
  const back = previousHeight > 0 ? `\x1b[${previousHeight}F` : "";
  const lines = [...staying, ...block].map((line) => `${line}\n`).join("");
  return { output: `${hideCursor}${back}${clearBelow}${lines}`, height: block.length };
}

/** Takes the block away and gives the cursor back. */
export function lastFrame(previousHeight: number): string {
  const back = previousHeight > 0 ? `\x1b[${previousHeight}F` : "";
  return `${back}${clearBelow}${showCursor}`;
}
