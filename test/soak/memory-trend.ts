/** What one process used at a moment, in bytes, after a garbage collection. */
export interface MemorySample {
  /** Milliseconds since the process began. */
  readonly at: number;
  readonly heap: number;
  readonly resident: number;
}

/** How the heap of a process went once it was warm. */
export interface MemoryTrend {
  readonly samples: number;
  /** Mean heap in bytes. */
  readonly mean: number;
  /** Bytes a minute, the slope of the least squares line. */
  readonly perMinute: number;
  readonly firstResident: number;
  readonly lastResident: number;
}

/** The trend after the first third of a process's life; null where there are too few samples for one. */
export function memoryTrend(samples: readonly MemorySample[]): MemoryTrend | null {
  const warm = samples.slice(Math.ceil(samples.length / 3));
  const [first, last] = [warm.at(0), warm.at(-1)];
  if (first === undefined || last === undefined || warm.length < 4) return null;
  const minutes = warm.map(({ at }) => at / 60_000);
  const heaps = warm.map(({ heap }) => heap);
  const [meanMinute, mean] = [average(minutes), average(heaps)];
  const spread = average(minutes.map((minute) => (minute - meanMinute) ** 2));
  const together = average(minutes.map((minute, i) => (minute - meanMinute) * ((heaps[i] as number) - mean)));
  return {
    samples: warm.length,
    mean,
    perMinute: together / spread,
    firstResident: first.resident,
    lastResident: last.resident,
  };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
