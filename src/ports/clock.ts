/** Cancels a scheduled call. Harmless afterwards and twice. */
export type CancelTimer = () => void;

/** Time and timers, injected so that tests drive them. */
export interface Clock {
  /** Milliseconds since the epoch, for timestamps. May jump. */
  wall(): number;
  /** Milliseconds from an arbitrary start, for windows. Never goes back. */
  monotonic(): number;
  /** Calls `run` once after `delayMs`. `holdsProcess` says whether the process waits for it before it ends. */
  schedule(delayMs: number, run: () => void, holdsProcess: boolean): CancelTimer;
}
