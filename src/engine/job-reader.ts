import { WorkerProgressError } from "../domain/errors.js";
import { canonicalJobId, type JobId } from "../domain/job-id.js";
import type { JobSnapshot } from "../domain/job-snapshot.js";
import { type JobView, jobView } from "../domain/job-view.js";
import { newerProgress } from "../domain/live-progress.js";
import type { Clock } from "../ports/clock.js";
import type { LiveAdapter } from "../ports/live.js";
import type { StorageAdapter, StorageTraits } from "../ports/storage.js";
import { bounded } from "./bounded.js";
import type { ReadModelResolver } from "./read-model-resolver.js";

export interface JobReaderOptions {
  readonly storage: StorageAdapter;
  readonly live: LiveAdapter;
  readonly clock: Clock;
  /** How long one storage call may take, in milliseconds. */
  readonly storageTimeoutMs: number;
  readonly resolve: ReadModelResolver;
}

/** Reads jobs: what is stored, with progress that is newer than what is stored. */
export class JobReader {
  readonly #options: JobReaderOptions;

  constructor(options: JobReaderOptions) {
    this.#options = options;
  }

  traits(): Promise<StorageTraits> {
    return this.#bounded(this.#options.storage.prepare());
  }

  /** The canonical id. @throws {INVALID_ARGUMENT} when it does not fit the id column */
  async identify(id: JobId): Promise<string> {
    const canonical = canonicalJobId(id, (await this.traits()).idType);
    if (canonical.ok) return canonical.id;
    throw new WorkerProgressError("INVALID_ARGUMENT", `Cannot read job "${id}": ${canonical.problem}`, { jobId: id });
  }

  /** The jobs by canonical id, in one read; what does not exist is absent. */
  async load(ids: readonly string[]): Promise<ReadonlyMap<string, JobSnapshot>> {
    const { storage, live } = this.#options;
    const [{ percentDecimals }, jobs, news] = await Promise.all([
      this.traits(),
      this.#bounded(storage.load(ids)),
      // The storage answers all the same.
      live.latest(ids).catch(() => []),
    ]);
    const told = new Map(ids.map((id, i) => [id, news[i] ?? null]));
    return new Map(jobs.map((job) => [job.id, newerProgress(job, told.get(job.id) ?? null, percentDecimals)]));
  }

  async view(job: JobSnapshot): Promise<JobView> {
    const { clock, resolve } = this.#options;
    const { idType } = await this.traits();
    const view = jobView(job, idType, clock.wall());
    // No more than these two, whatever a resolver answers: the rest is what is stored.
    const { artefacts = view.artefacts, queue_position = view.queue_position } = (await resolve(view)) ?? {};
    return { ...view, artefacts, queue_position };
  }

  /** Running jobs of which nothing was heard since, as stored, longest silent first. */
  silent(silentSince: number, limit: number): Promise<readonly JobSnapshot[]> {
    return this.#bounded(this.#options.storage.findSilent(silentSince, limit));
  }

  /** The read model of each job, in the order asked for; null where there is none. */
  async read(ids: readonly JobId[]): Promise<readonly (JobView | null)[]> {
    const canonical = await Promise.all(ids.map((id) => this.identify(id)));
    const jobs = await this.load([...new Set(canonical)]);
    return Promise.all(
      canonical.map((id) => {
        const job = jobs.get(id);
        return job === undefined ? null : this.view(job);
      }),
    );
  }

  #bounded<T>(work: Promise<T>): Promise<T> {
    const { clock, storageTimeoutMs } = this.#options;
    return bounded(clock, work, storageTimeoutMs, () => {
      return new WorkerProgressError("STORAGE_UNAVAILABLE", `The storage did not answer within ${storageTimeoutMs} ms`);
    });
  }
}
