/** A percent at an instant, in milliseconds since the epoch. */
export interface Observation {
  readonly percent: number;
  readonly at: number;
}

const shortestMemorySeconds = 30;
// A whole percent that is written every 2 s moves once in minutes: a mean over less than a few of them would swing between the two.
const rememberedPoints = 5;
/** 100 points in three years: less is a standstill. */
const slowest = 1e-6;

/**
 * Points per second after one more observation: an exponentially weighted mean in which what happened 30 s ago, or five
 * points where they take longer, counts 1/e. Null while there are no two observations apart in time. (The weight of irregular
 * samples: Eckner, "Algorithms for unevenly spaced time series: moving averages", 2012.)
 */
export function nextRate(rate: number | null, from: Observation, to: Observation): number | null {
  const seconds = (to.at - from.at) / 1_000;
  if (seconds <= 0) return rate;
  const latest = (to.percent - from.percent) / seconds;
  if (!isPace(rate)) return isPace(latest) ? latest : null;
  const memorySeconds = Math.max(shortestMemorySeconds, rememberedPoints / rate);
  const next = rate + (1 - Math.exp(-seconds / memorySeconds)) * (latest - rate);
  return isPace(next) ? next : null;
}

/**
 * Seconds left at this rate, `now` being some time after the last observation. Null when it would be a guess: nothing was
 * observed, nothing moves, or the job stands still for longer than it should have needed to finish.
 */
export function secondsLeft(rate: number | null, last: Observation, now: number): number | null {
  if (!isPace(rate)) return null;
  const left = (100 - last.percent) / rate - Math.max(0, now - last.at) / 1_000;
  return left >= 0 ? left : null;
}

function isPace(rate: number | null): rate is number {
  return rate !== null && rate > slowest;
}
