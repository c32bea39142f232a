import { WorkerProgressError } from "../domain/errors.js";
import type { JobId } from "../domain/job-id.js";
import type { JobSnapshot } from "../domain/job-snapshot.js";
import type { JobView } from "../domain/job-view.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import type { LiveAdapter, LiveMessage, Unsubscribe } from "../ports/live.js";
import type { JobReader } from "./job-reader.js";
import { NewestOnly } from "./newest-only.js";
import { StoragePatience } from "./storage-patience.js";
import { WatchedJob } from "./watched-job.js";

export interface WatchHubOptions {
  readonly reader: JobReader;
  readonly live: LiveAdapter;
  readonly clock: Clock;
  readonly random: () => number;
  /** How often watched jobs are read where live updates do not reach other processes, in milliseconds. */
  readonly pollMs: number;
}

const silenceMs = 10_000;
const batchSize = 500;

/**
 * Follows jobs for any number of watchers: one subscription per job, one read for all jobs that need one. Live updates carry
 * progress; the storage is read when watching begins, when a status changes, after a gap, and when a job has been silent.
 */
export class WatchHub {
  readonly #options: WatchHubOptions;
  readonly #patience: StoragePatience;
  readonly #watched = new Map<string, WatchedJob>();
  /** Where each watcher is; null while its job is not known yet. */
  readonly #places = new Map<NewestOnly<JobView>, WatchedJob | null>();
  readonly #toRead = new Set<WatchedJob>();
  #cancellations: Promise<Unsubscribe | null> | null = null;
  #reading = false;
  #stopped = false;
  #cancelPoll: CancelTimer | null = null;

  constructor(options: WatchHubOptions) {
    this.#options = options;
    this.#patience = new StoragePatience(options.clock, options.random);
  }

  /** How many watchers there are. */
  get size(): number {
    return this.#places.size;
  }

  watch(jobId: JobId, signal: AbortSignal | undefined): AsyncIterableIterator<JobView> {
    const onAbort = () => void watcher.return();
    const watcher = new NewestOnly<JobView>(
      () => {
        if (signal?.aborted) return watcher.end();
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#places.set(watcher, null);
        void this.#begin(jobId, watcher).catch((error: unknown) => watcher.fail(error));
      },
      () => {
        signal?.removeEventListener("abort", onAbort);
        this.#leave(watcher);
      },
    );
    return watcher;
  }

  /** Ends all watching. */
  stop(): void {
    this.#stopped = true;
    for (const watcher of [...this.#places.keys()]) watcher.end();
  }

  async #begin(jobId: JobId, watcher: NewestOnly<JobView>): Promise<void> {
    const isWanted = () => !watcher.ended && !this.#stopped;
    const id = await this.#patience.until(() => this.#options.reader.identify(jobId), isWanted);
    if (id === null || !isWanted()) return watcher.end();
    const watched = this.#watched.get(id) ?? this.#open(id);
    this.#places.set(watcher, watched);
    watched.join(watcher);
  }

  #open(id: string): WatchedJob {
    const { live, reader } = this.#options;
    const watched = new WatchedJob(id, this.#now(), (job) => reader.view(job));
    this.#watched.set(id, watched);
    watched.subscription = live
      .subscribe(id, {
        onMessage: (message) => this.#heard(watched, message),
        onGap: () => this.#read(watched),
      })
      .catch(() => null);
    this.#cancellations ??= live
      .subscribeCancellations({
        onMessage: (message) => {
          const wanted = this.#watched.get(message.jobId);
          if (wanted !== undefined) this.#heard(wanted, message);
        },
        onGap: () => {},
      })
      .catch(() => null);
    // Read only once the subscription stands, so that nothing falls between the two.
    void watched.subscription.then(() => this.#read(watched));
    this.#cancelPoll ??= this.#schedulePoll();
    return watched;
  }

  #leave(watcher: NewestOnly<JobView>): void {
    const watched = this.#places.get(watcher);
    this.#places.delete(watcher);
    watched?.leave(watcher);
    if (watched?.watchers.size === 0) this.#drop(watched);
    this.#patience.release();
  }

  #drop(watched: WatchedJob): void {
    this.#watched.delete(watched.id);
    this.#toRead.delete(watched);
    unsubscribe(watched.subscription);
    if (this.#watched.size > 0) return;
    unsubscribe(this.#cancellations);
    this.#cancellations = null;
    this.#cancelPoll?.();
    this.#cancelPoll = null;
  }

  #heard(watched: WatchedJob, message: LiveMessage): void {
    watched.heardAt = this.#now();
    if (watched.heard(message)) this.#read(watched);
  }

  #read(watched: WatchedJob): void {
    if (this.#watched.get(watched.id) !== watched || this.#stopped) return;
    this.#toRead.add(watched);
    if (!this.#reading) void this.#readAll();
  }

  async #readAll(): Promise<void> {
    this.#reading = true;
    // Jobs whose watching begins in the same turn of the event loop are read together.
    await Promise.resolve();
    while (this.#toRead.size > 0 && !this.#stopped) {
      const batch = [...this.#toRead].slice(0, batchSize);
      for (const watched of batch) this.#toRead.delete(watched);
      await this.#readBatch(batch);
    }
    this.#reading = false;
  }

  async #readBatch(batch: readonly WatchedJob[]): Promise<void> {
    const { reader } = this.#options;
    const read = () => Promise.all([reader.load(batch.map(({ id }) => id)), reader.traits()]);
    const isWanted = () => !this.#stopped && batch.some(({ watchers }) => watchers.size > 0);
    try {
      const answer = await this.#patience.until(read, isWanted);
      if (answer === null) return;
      const [jobs, { percentDecimals }] = answer;
      for (const watched of batch) this.#loaded(watched, jobs.get(watched.id), percentDecimals);
    } catch (error) {
      // A row that cannot be read ends the watching of its own job alone.
      if (batch.length > 1) for (const watched of batch) await this.#readBatch([watched]);
      else batch[0]?.fail(error);
    }
  }

  #loaded(watched: WatchedJob, job: JobSnapshot | undefined, percentDecimals: number | null): void {
    watched.heardAt = this.#now();
    if (job !== undefined) {
      if (watched.loaded(job, percentDecimals)) this.#read(watched);
      return;
    }
    const { id } = watched;
    if (watched.isKnown) watched.end();
    else
      watched.fail(
        new WorkerProgressError("JOB_NOT_FOUND", `Cannot watch job "${id}": there is no such job`, { jobId: id }),
      );
  }

  // Held by its timer, a process that only watches does not end.
  #schedulePoll(): CancelTimer {
    const { clock, live, pollMs } = this.#options;
    return clock.schedule(
      pollMs,
      () => {
        const silentSince = live.reach === "process" ? Number.POSITIVE_INFINITY : this.#now() - silenceMs;
        for (const watched of this.#watched.values()) if (watched.heardAt <= silentSince) this.#read(watched);
        this.#cancelPoll = this.#schedulePoll();
      },
      true,
    );
  }

  #now(): number {
    return this.#options.clock.monotonic();
  }
}

function unsubscribe(subscription: Promise<Unsubscribe | null> | null): void {
  void subscription?.then((end) => end?.());
}
