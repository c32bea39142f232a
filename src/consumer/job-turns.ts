/** Lets what concerns one job happen in the order of the calls, and different jobs side by side. */
export class JobTurns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` when all earlier work of the job has ended, however it ended. */
  take<T>(job: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(job) ?? Promise.resolve()).then(work);
    const ended = turn.then(
      () => {},
      () => {},
    );
    this.#last.set(job, ended);
    void ended.then(() => {
      if (this.#last.get(job) === ended) this.#last.delete(job);
    });
    return turn;
  }
}
