import type { WorkerProgressError } from "../domain/errors.js";

/** The abort signal of one attempt, made when somebody asks for it. */
export class AttemptSignal {
  readonly attempt: number;
  #controller: AbortController | null = null;
  #reason: WorkerProgressError | null = null;
  #cancelReason: string | null = null;
  #ended = false;
  #lost = false;

  constructor(attempt: number) {
    this.attempt = attempt;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== null) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  /** Why the attempt should end; null while it should go on. The first reason stays. */
  get reason(): WorkerProgressError | null {
    return this.#reason;
  }

  /** What was last said when somebody wanted the job cancelled; null where nothing was, or it is not known. */
  get cancelReason(): string | null {
    return this.#cancelReason;
  }

  abort(reason: WorkerProgressError, cancelReason: string | null = null): void {
    if (this.#ended) return;
    this.#reason ??= reason;
    this.#cancelReason = cancelReason ?? this.#cancelReason;
    this.#lost ||= reason.code !== "JOB_CANCELLED";
    this.#controller?.abort(this.#reason);
  }

  /** Whether the job is still its worker's: one that was asked to cancel may go on, and ends the job itself. */
  get atWork(): boolean {
    return !this.#ended && !this.#lost;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Once the worker itself has ended the job, nothing aborts it any more. */
  end(): void {
    this.#ended = true;
  }
}
