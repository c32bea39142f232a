import type { JobHandle } from "../../src/reporter/job-handle.js";
import type { ProgressReporter } from "../../src/reporter/progress-reporter.js";
import type { Wired } from "../engine/engine-on.js";
import type { Line } from "./process-ports.js";

/** A process with one reporter, from its beginning to its end, and what it can know of the attempts it belongs to. */
export class Process {
  readonly name: string;
  readonly line: Line;
  readonly wired: Wired;
  /** Rejects when the process dies: its open transactions are rolled back then. */
  readonly death: Promise<never>;
  killedAt: number | null = null;
  isClosed = false;
  /** The jobs of which `close()` said that their newest was not written. */
  unwritten: readonly string[] = [];
  readonly #handles = new Map<string, JobHandle[]>();
  readonly #belongsTo = new Map<string, number>();
  readonly #starts = new Set<string>();
  readonly #die: (reason: Error) => void;

  constructor(line: Line, wired: Wired) {
    this.name = line.name;
    this.line = line;
    this.wired = wired;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    this.death = promise;
    this.#die = reject;
  }

  get reporter(): ProgressReporter {
    return this.wired.reporter;
  }

  /** Every handle it got of a job, oldest first. */
  handles(job: string): readonly JobHandle[] {
    return this.#handles.get(job) ?? [];
  }

  /** The attempt that its calls without a handle belong to. */
  attemptOf(job: string): number | null {
    return this.#belongsTo.get(job) ?? null;
  }

  /** Whether it ever began an attempt of the job, or tried to. */
  starts(job: string): boolean {
    return this.#starts.has(job);
  }

  starting(job: string): void {
    this.#starts.add(job);
  }

  began(job: string, handle: JobHandle): void {
    this.#handles.set(job, [...this.handles(job), handle]);
    this.#belongsTo.set(job, handle.attempt);
  }

  /** Who begins no attempt belongs to the one it was first told to have reported on… */
  reportedOn(job: string, attempt: number): void {
    if (!this.#starts.has(job) && !this.#belongsTo.has(job)) this.#belongsTo.set(job, attempt);
  }

  /** …until it ends the job itself. */
  ended(job: string): void {
    if (!this.#starts.has(job)) this.#belongsTo.delete(job);
  }

  kill(): void {
    this.killedAt = this.line.monotonic();
    this.line.die();
    this.#die(new Error("the process was killed"));
  }
}
