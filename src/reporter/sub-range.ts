import { checkPercent } from "../domain/percent.js";
import type { DivisibleSink, ProgressSink } from "./progress-sink.js";
import { track } from "./track.js";

/** Makes a sink divisible. `throwIfAborted` ends tracked loops. */
export function divisible(sink: ProgressSink, throwIfAborted: () => void): DivisibleSink {
  return {
    progress: sink.progress,
    forceProgress: sink.forceProgress,
    range: (from, to) => divisible(subRange(sink, from, to), throwIfAborted),
    track: (items, options = {}) => track(sink, items, options, throwIfAborted),
  };
}

function subRange(sink: ProgressSink, from: number, to: number): ProgressSink {
  if (!(from >= 0 && from <= to && to <= 100)) {
    throw new RangeError(`A range needs 0 <= from <= to <= 100, got from ${from} to ${to}`);
  }
  const within = (percent: number): number => {
    const checked = checkPercent(percent);
    // What is no percent goes through as it is, to be rejected with its own name.
    if (!checked.ok) return percent;
    // Not a rounding error beyond its end or short of it: the range that begins there would fall behind this one.
    return checked.percent === 100 ? to : Math.min(to, from + (checked.percent * (to - from)) / 100);
  };
  return {
    progress: (percent, step, message, metrics) => sink.progress(within(percent), step, message, metrics),
    forceProgress: (percent, step, message, metrics) => sink.forceProgress(within(percent), step, message, metrics),
  };
}
