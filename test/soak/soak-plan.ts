import { parseArgs } from "node:util";

/** How a soak runs; times in milliseconds. A seed gives the same choices, not the same interleaving. */
export interface SoakPlan {
  readonly lastsMs: number;
  /** It goes on for longer, by a minute at most, until more events than these were stored and as many faults done. */
  readonly atLeast: { readonly events: number; readonly faults: number };
  readonly seed: number;
  /** Worker processes. The first two are never killed, so that their memory can be watched. */
  readonly processes: number;
  /** Jobs that run at a time, of all processes together. */
  readonly jobs: number;
  /** How long a job runs, from and to. */
  readonly lifeMs: readonly [number, number];
  /** The pause between two faults, from and to. */
  readonly faultPauseMs: readonly [number, number];
  /** How long a fault is held at most. */
  readonly holdMs: number;
  readonly windowMs: number;
  /** How long an ended job is remembered: well within the third of the time that counts as warming up. */
  readonly idleMs: number;
  /** How often each process says how much memory it uses. */
  readonly memoryEveryMs: number;
}

/** Half an hour as asked for, unless the command line says otherwise. */
export function planFrom(args: readonly string[]): SoakPlan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "30" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      processes: { type: "string", default: "4" },
      jobs: { type: "string", default: "2000" },
    },
  });
  const lastsMs = positive("minutes", values.minutes) * 60_000;
  return {
    lastsMs,
    atLeast: { events: 0, faults: 0 },
    seed: positive("seed", values.seed),
    processes: positive("processes", values.processes),
    jobs: positive("jobs", values.jobs),
    lifeMs: [40_000, 160_000],
    faultPauseMs: [3_000, 8_000],
    holdMs: 5_000,
    windowMs: 2_000,
    idleMs: lastsMs / 10,
    memoryEveryMs: 15_000,
  };
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new TypeError(`--${name} must be a number above 0, got ${text}`);
  return value;
}
