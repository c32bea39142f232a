import type { LiveListener } from "../../ports/live.js";
import type { Log } from "../../ports/log.js";
import type { Topic } from "./table-channels.js";

/** One subscription of this process. */
export interface Subscription {
  readonly topic: Topic;
  /** Null where it is to no single job. */
  readonly jobId: string | null;
  readonly listener: LiveListener;
  /** Whether other processes may have told something that was not heard. */
  missed: boolean;
}

/** Who listens in this process, and who of them may have missed something. */
export class LiveSubscriptions {
  readonly #all: Readonly<Record<Topic, Set<Subscription>>> = { news: new Set(), cancellations: new Set() };
  readonly #perJob = new Map<string, number>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  add(topic: Topic, jobId: string | null, listener: LiveListener): Subscription {
    const subscription = { topic, jobId, listener, missed: false };
    this.#all[topic].add(subscription);
    if (jobId !== null) this.#perJob.set(jobId, (this.#perJob.get(jobId) ?? 0) + 1);
    return subscription;
  }

  /** Idempotent. */
  remove(subscription: Subscription): void {
    const { topic, jobId } = subscription;
    if (!this.#all[topic].delete(subscription) || jobId === null) return;
    const left = (this.#perJob.get(jobId) ?? 1) - 1;
    if (left > 0) this.#perJob.set(jobId, left);
    else this.#perJob.delete(jobId);
  }

  isOnJob(jobId: string): boolean {
    return this.#perJob.has(jobId);
  }

  wants(topic: Topic): boolean {
    return this.#all[topic].size > 0;
  }

  /** Nothing is heard any more. */
  lost(): void {
    for (const subscription of [...this.#all.news, ...this.#all.cancellations]) subscription.missed = true;
  }

  /** A topic is heard again. */
  stands(topic: Topic): void {
    for (const subscription of [...this.#all[topic]]) {
      if (!subscription.missed) continue;
      subscription.missed = false;
      this.#tellGap(subscription.listener);
    }
  }

  #tellGap(listener: LiveListener): void {
    try {
      listener.onGap();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn("A listener of live updates failed", { reason });
    }
  }
}
