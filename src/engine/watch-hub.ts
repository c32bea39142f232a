import { type BackoffPolicy, backoffMs } from "../domain/backoff.js";
import { WorkerProgressError } from "../domain/errors.js";
import type { JobId } from "../domain/job-id.js";
import type { JobSnapshot } from "../domain/job-snapshot.js";
import { isTerminal } from "../domain/job-status.js";
import type { JobView } from "../domain/job-view.js";
import { newerProgress, type ToldProgress } from "../domain/live-progress.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import type { LiveAdapter, LiveMessage, Unsubscribe } from "../ports/live.js";
import type { StorageTraits } from "../ports/storage.js";
import type { JobReader } from "./job-reader.js";
import { NewestOnly } from "./newest-only.js";

export interface WatchHubOptions {
  readonly reader: JobReader;
  readonly live: LiveAdapter;
  readonly clock: Clock;
  readonly random: () => number;
  /** How often watched jobs are read where live updates do not reach other processes, in milliseconds. */
  readonly pollMs: number;
}

/** One watched job, and all who watch it in this process. */
interface Watched {
  readonly id: string;
  readonly watchers: Set<NewestOnly<JobView>>;
  job: JobSnapshot | null;
  subscription: Promise<Unsubscribe> | null;
  /** Monotonic milliseconds of the last news. */
  heardAt: number;
}

const silenceMs = 30_000;
const batchSize = 500;
const retry: BackoffPolicy = { firstMs: 100, maxMs: 2_000 };

/**
 * Follows jobs for any number of watchers: one subscription per job, one read for all jobs that need one. Live updates carry
 * progress; the storage is read when watching begins, when a status changes, after a gap, and when a job has been silent.
 */
export class WatchHub {
  readonly #options: WatchHubOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #toRead = new Set<Watched>();
  #reading = false;
  #failures = 0;
  #stopped = false;
  #cancelPoll: CancelTimer | null = null;
  #cancelRetry: CancelTimer | null = null;

  constructor(options: WatchHubOptions) {
    this.#options = options;
  }

  /** How many watchers there are. */
  get size(): number {
    let size = 0;
    for (const { watchers } of this.#watched.values()) size += watchers.size;
    return size;
  }

  watch(jobId: JobId, signal: AbortSignal | undefined): AsyncIterableIterator<JobView> {
    let watched: Watched | null = null;
    const onAbort = () => watcher.end();
    const watcher = new NewestOnly<JobView>(
      () => {
        this.#begin(jobId, watcher).then(
          (begun) => {
            watched = begun;
          },
          (error: unknown) => watcher.fail(error),
        );
      },
      () => {
        signal?.removeEventListener("abort", onAbort);
        if (watched !== null) this.#leave(watched, watcher);
      },
    );
    if (signal?.aborted) watcher.end();
    else signal?.addEventListener("abort", onAbort, { once: true });
    return watcher;
  }

  /** Ends all watching. */
  stop(): void {
    this.#stopped = true;
    this.#cancelPoll?.();
    this.#cancelRetry?.();
    for (const { watchers } of [...this.#watched.values()]) for (const watcher of [...watchers]) watcher.end();
  }

  async #begin(jobId: JobId, watcher: NewestOnly<JobView>): Promise<Watched | null> {
    const id = await this.#untilRead(() => this.#options.reader.identify(jobId));
    if (id === null || this.#stopped) {
      watcher.end();
      return null;
    }
    const watched = this.#watched.get(id) ?? this.#open(id);
    watched.watchers.add(watcher);
    if (watched.job !== null) void this.#tell(watched, [watcher]);
    return watched;
  }

  #open(id: string): Watched {
    const watched: Watched = { id, watchers: new Set(), job: null, subscription: null, heardAt: this.#now() };
    this.#watched.set(id, watched);
    watched.subscription = this.#options.live.subscribe(id, {
      onMessage: (message) => this.#heard(watched, message),
      onGap: () => this.#read(watched),
    });
    // Read only once the subscription stands, so that nothing falls between the two.
    watched.subscription.then(
      () => this.#read(watched),
      () => this.#read(watched),
    );
    this.#cancelPoll ??= this.#schedulePoll();
    return watched;
  }

  #leave(watched: Watched, watcher: NewestOnly<JobView>): void {
    watched.watchers.delete(watcher);
    if (watched.watchers.size > 0) return;
    this.#watched.delete(watched.id);
    this.#toRead.delete(watched);
    watched.subscription?.then(
      (unsubscribe) => unsubscribe(),
      () => {},
    );
    if (this.#watched.size > 0) return;
    this.#cancelPoll?.();
    this.#cancelPoll = null;
  }

  #heard(watched: Watched, message: LiveMessage): void {
    if (message.kind === "cancellation" || watched.job === null) return;
    watched.heardAt = this.#now();
    const { job } = watched;
    const isTransition = message.kind === "stored" && message.status !== job.status;
    if (isTransition || message.attempt > job.attempt) this.#read(watched);
    else void this.#progressed(watched, message);
  }

  async #progressed(watched: Watched, told: ToldProgress): Promise<void> {
    const { percentType } = await this.#options.reader.traits();
    if (watched.job === null) return;
    const job = newerProgress(watched.job, told, percentType);
    if (job === watched.job) return;
    watched.job = job;
    await this.#tell(watched, watched.watchers);
  }

  #read(watched: Watched): void {
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
      const jobs = await this.#untilRead(() => this.#options.reader.load(batch.map(({ id }) => id)));
      if (jobs === null) break;
      const traits = await this.#options.reader.traits();
      for (const watched of batch) await this.#loaded(watched, jobs.get(watched.id), traits);
    }
    this.#reading = false;
  }

  async #loaded(watched: Watched, job: JobSnapshot | undefined, { percentType }: StorageTraits): Promise<void> {
    watched.heardAt = this.#now();
    if (job === undefined) return this.#gone(watched);
    const { job: shown } = watched;
    if (shown !== null && job.attempt < shown.attempt) return;
    const told = shown === null ? null : { ...shown, at: shown.progressAt ?? 0 };
    watched.job = newerProgress(job, told, percentType);
    await this.#tell(watched, watched.watchers);
    if (isTerminal(job.status)) for (const watcher of [...watched.watchers]) watcher.end();
  }

  #gone(watched: Watched): void {
    const { id } = watched;
    const missing = () =>
      new WorkerProgressError("JOB_NOT_FOUND", `Cannot watch job "${id}": there is no such job`, { jobId: id });
    for (const watcher of [...watched.watchers]) watched.job === null ? watcher.fail(missing()) : watcher.end();
  }

  async #tell(watched: Watched, watchers: Iterable<NewestOnly<JobView>>): Promise<void> {
    if (watched.job === null) return;
    const view = await this.#options.reader.view(watched.job);
    for (const watcher of [...watchers]) watcher.push(view);
  }

  /** The outcome of reading, tried until the storage is back; null when nobody waits for it any more. */
  async #untilRead<T>(read: () => Promise<T>): Promise<T | null> {
    for (;;) {
      try {
        const outcome = await read();
        this.#failures = 0;
        return outcome;
      } catch (error) {
        if (!(error instanceof WorkerProgressError) || error.code !== "STORAGE_UNAVAILABLE") throw error;
        if (this.#stopped) return null;
        await this.#pause(backoffMs(++this.#failures, retry, this.#options.random()));
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.schedule(ms, resolve, true);
      this.#cancelRetry = () => {
        cancel();
        resolve();
      };
    });
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
