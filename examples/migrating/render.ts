import { setTimeout as sleep } from "node:timers/promises";

const frames = 200;

/** The work itself, the same before and after: renders frame by frame, and tells how far it is. */
export async function render(onFrame: (frame: number, of: number) => unknown): Promise<{ output: string }> {
  const failsAt = Number(process.env.FAILS_AT ?? 0);
  for (let frame = 1; frame <= frames; frame++) {
    await sleep(Number(process.env.FRAME_MS ?? 5)); // stands for the renderer
    await onFrame(frame, frames);
    if (frame === failsAt) throw Object.assign(new Error(`Frame ${frame} is broken`), { code: "RENDER_FAILED" });
  }
  return { output: "result.mp4" };
}
