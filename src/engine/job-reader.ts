import { WorkerProgressError } from "../domain/errors.js";
import { canonicalJobId, type JobId } from "../domain/job-id.js";
import { type JobView, jobView } from "../domain/job-view.js";
import type { Clock } from "../ports/clock.js";
import type { StorageAdapter } from "../ports/storage.js";

/** Reads the read model. */
export class JobReader {
  readonly #storage: StorageAdapter;
  readonly #clock: Clock;

  constructor(storage: StorageAdapter, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /** One job in one read, or null when there is none. */
  async read(id: JobId): Promise<JobView | null> {
    const { idType } = await this.#storage.prepare();
    const canonical = canonicalJobId(id, idType);
    if (!canonical.ok) {
      throw new WorkerProgressError("INVALID_ARGUMENT", `Cannot read job "${id}": ${canonical.problem}`, { jobId: id });
    }
    const [job] = await this.#storage.load([canonical.id]);
    return job === undefined ? null : jobView(job, idType, this.#clock.wall());
  }
}
