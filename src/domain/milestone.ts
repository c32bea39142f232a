const milestones = [0, 25, 50, 75, 100] as const;
const notableStep = 10;
// Subtracting decimals may miss the step by a rounding error: 16.4 - 6.4 is 9.999999999999998.
const roundingError = 1e-9;

/**
 * Whether a stored change of progress within an attempt is worth an event: it crosses a milestone
 * (`previous < m <= now`; 0 counts when progress is first written) or moves by 10 points or more.
 */
export function isNotable(previous: number, now: number, firstWritten: boolean): boolean {
  const from = firstWritten && previous === 0 ? -1 : previous;
  return (
    now - previous > notableStep - roundingError || milestones.some((milestone) => from < milestone && milestone <= now)
  );
}
