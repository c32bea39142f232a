import { WorkerProgressError } from "../../src/domain/errors.js";
import type { JobView } from "../../src/domain/job-view.js";
import type { Process } from "./process.js";

/** Somebody who watches a job in a process, at a pace of their own. */
export class Spectator {
  readonly process: Process;
  readonly job: string;
  readonly views: JobView[] = [];
  /** Whether they left of their own accord. */
  left = false;
  /** How the watching ended; null while it goes on. */
  ending: "ended" | string | null = null;

  constructor(process: Process, job: string, pauseMs: number, leavesAfter: number | null) {
    this.process = process;
    this.job = job;
    this.#watch(pauseMs, leavesAfter).then(
      () => {
        this.ending = "ended";
      },
      (error: unknown) => {
        this.ending = error instanceof WorkerProgressError ? error.code : String(error);
      },
    );
  }

  async #watch(pauseMs: number, leavesAfter: number | null): Promise<void> {
    for await (const view of this.process.reporter.watch(this.job)) {
      this.views.push(view);
      if (this.views.length === leavesAfter) {
        this.left = true;
        return;
      }
      await this.process.line.travel(pauseMs);
    }
  }
}
