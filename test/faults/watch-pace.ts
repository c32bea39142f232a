import { setTimeout as sleep } from "node:timers/promises";
import type { CourseWorker } from "./course-worker.js";
import type { Scene } from "./scene.js";

/** How slow the machine is while something is timed on it, by what the library has no part in. */
export interface Pace extends AsyncDisposable {
  /** The longest so far that this process, its workers and a commit of the database took for a turn, the one under way included. */
  readonly longestMs: number;
  /** Idempotent. */
  stop(): Promise<void>;
}

/** Lets this process, the workers and the database have a turn, over and over. */
export function watchPace({ stage }: Scene, workers: readonly CourseWorker[]): Pace {
  let longestMs = 0;
  let began = performance.now();
  let stopped = false;
  const look = () => {
    if (!stopped) longestMs = Math.max(longestMs, performance.now() - began);
  };
  const commit = () => stage.db.query("select pg_logical_emit_message(true, 'pace', '')");
  const keepLooking = async () => {
    while (!stopped) {
      // The database may be what is broken.
      await Promise.allSettled([commit(), ...workers.map((worker) => worker.answer())]);
      await sleep(20);
      look();
      began = performance.now();
    }
  };
  const looking = keepLooking();
  const stop = () => {
    look();
    stopped = true;
    return looking;
  };
  for (const { process } of workers) void process.exit.then(stop);
  return {
    get longestMs() {
      look();
      return longestMs;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
