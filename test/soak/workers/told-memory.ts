import type { MemorySample } from "../memory-trend.js";

/** Tells how much memory this process uses, again and again. Needs --expose-gc. */
export function tellMemory(everyMs: number): NodeJS.Timeout {
  return setInterval(() => process.send?.({ kind: "memory", sample: memorySample() }), everyMs);
}

function memorySample(): MemorySample {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { at: performance.now(), heap: heapUsed, resident: rss };
}
