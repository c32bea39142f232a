/** A percent at an instant, in milliseconds since the epoch. */
export interface Observation {
  readonly percent: number;
  readonly at: number;
}

const timeConstantSeconds = 30;

/**
 * Points per second after one more observation: an exponentially weighted mean in which what happened 30 s ago counts 1/e.
 * Null while there are no two observations apart in time. (The weight of irregular samples: Eckner, "Algorithms for
 * unevenly spaced time series: moving averages", 2012.)
 */
export function nextRate(rate: number | null, from: Observation, to: Observation): number | null {
  const seconds = (to.at - from.at) / 1_000;
  if (seconds <= 0) return rate;
  const latest = (to.percent - from.percent) / seconds;
  if (rate === null) return latest > 0 ? latest : null;
  return rate + (1 - Math.exp(-seconds / timeConstantSeconds)) * (latest - rate);
}

/**
 * Seconds left at this rate, `now` being some time after the last observation. Null when it would be a guess: nothing was
 * observed, nothing moves, or the job stands still for longer than it should have needed to finish.
 */
export function secondsLeft(rate: number | null, last: Observation, now: number): number | null {
  if (rate === null || rate <= 0) return null;
  const left = (100 - last.percent) / rate - Math.max(0, now - last.at) / 1_000;
  return left < 0 ? null : left;
}
