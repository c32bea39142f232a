import type { JobSnapshot } from "../domain/job-snapshot.js";
import { isTerminal } from "../domain/job-status.js";
import type { JobView } from "../domain/job-view.js";
import { newerProgress, notBehind } from "../domain/live-progress.js";
import type { LiveMessage, Unsubscribe } from "../ports/live.js";
import type { NewestOnly } from "./newest-only.js";

type Watcher = NewestOnly<JobView>;

/** One watched job, and all who watch it in this process. */
export class WatchedJob {
  readonly id: string;
  readonly watchers = new Set<Watcher>();
  subscription: Promise<Unsubscribe | null> | null = null;
  /** Monotonic milliseconds of the last news. */
  heardAt: number;

  readonly #view: (job: JobSnapshot) => Promise<JobView>;
  #job: JobSnapshot | null = null;
  #percentDecimals: number | null = 0;
  /** The last of each kind that came before the job was read first: progress must not hide that something was stored. */
  readonly #early = new Map<LiveMessage["kind"], LiveMessage>();
  /** Who has been told nothing yet. */
  readonly #joined = new Set<Watcher>();
  #hasNews = false;
  #telling = false;
  #told = "";

  constructor(id: string, now: number, view: (job: JobSnapshot) => Promise<JobView>) {
    this.id = id;
    this.heardAt = now;
    this.#view = view;
  }

  /** Whether it was read. */
  get isKnown(): boolean {
    return this.#job !== null;
  }

  join(watcher: Watcher): void {
    this.watchers.add(watcher);
    this.#joined.add(watcher);
    void this.#tell();
  }

  leave(watcher: Watcher): void {
    this.watchers.delete(watcher);
    this.#joined.delete(watcher);
  }

  /** Takes in what the storage holds. Answers whether it has to be read again, because of what came meanwhile. */
  loaded(job: JobSnapshot, percentDecimals: number | null): boolean {
    this.#percentDecimals = percentDecimals;
    this.#show(notBehind(job, this.#job));
    const early = [...this.#early.values()];
    this.#early.clear();
    return early.map((message) => this.heard(message)).includes(true);
  }

  /** Takes in what a process tells. Answers whether the storage has to be read for the rest of it. */
  heard(message: LiveMessage): boolean {
    if (message.kind === "cancellation") return true;
    if (this.#job === null) {
      this.#early.set(message.kind, message);
      return false;
    }
    if (message.attempt !== this.#job.attempt) return message.attempt > this.#job.attempt;
    if (message.kind === "stored" && message.status !== this.#job.status) return true;
    const job = newerProgress(this.#job, message, this.#percentDecimals);
    if (job !== this.#job) this.#show(job);
    return false;
  }

  end(): void {
    for (const watcher of [...this.watchers]) watcher.end();
  }

  fail(reason: unknown): void {
    for (const watcher of [...this.watchers]) watcher.fail(reason);
  }

  #show(job: JobSnapshot): void {
    this.#job = job;
    this.#hasNews = true;
    void this.#tell();
  }

  // One view at a time, as making one may wait for the caller's resolver: views never overtake each other.
  async #tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    try {
      while (this.#job !== null && this.watchers.size > 0 && (this.#hasNews || this.#joined.size > 0)) {
        this.#hasNews = false;
        const { status } = this.#job;
        this.#hand(await this.#view(this.#job), isTerminal(status));
      }
    } catch (error) {
      this.fail(error);
    }
    this.#telling = false;
  }

  #hand(view: JobView, isLast: boolean): void {
    const text = JSON.stringify(view);
    const receivers = text === this.#told ? [...this.#joined] : [...this.watchers];
    this.#told = text;
    this.#joined.clear();
    for (const watcher of receivers) {
      watcher.push(view);
      if (isLast) watcher.end();
    }
  }
}
