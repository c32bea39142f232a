import { type BackoffPolicy, backoffMs } from "../../domain/backoff.js";
import { isRetryable, WorkerProgressError } from "../../domain/errors.js";
import type { LiveMessage } from "../../ports/live.js";
import type { Log } from "../../ports/log.js";
import { answerWithin } from "./answer-within.js";
import { OutageLog } from "./outage-log.js";

const backoff: BackoffPolicy = { firstMs: 500, maxMs: 30_000 };
const sendMs = 5_000;
const drainMs = 1_000;
// Every listener of the database is woken by every statement: under load there are fifty a second, each with more in it.
const gapMs = 20;
const mostWaiting = 10_000;

/**
 * Tells other processes, behind the back of who publishes: one statement at a time, what comes meanwhile goes together into
 * the next. What could not be sent is kept, the newest 10,000 messages, and tried again.
 */
export class NotificationSender {
  readonly #send: (messages: readonly LiveMessage[]) => Promise<void>;
  readonly #outage: OutageLog;
  #waiting: LiveMessage[] = [];
  #sending: Promise<void> | null = null;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(send: (messages: readonly LiveMessage[]) => Promise<void>, log: Log) {
    this.#send = send;
    this.#outage = new OutageLog(
      log,
      "PostgreSQL takes no notifications: other processes see changes late until it does",
      "PostgreSQL takes notifications again",
    );
  }

  offer(messages: readonly LiveMessage[]): void {
    if (this.#closed || messages.length === 0) return;
    this.#keep([...this.#waiting, ...messages]);
    if (this.#retry === undefined) this.#begin();
  }

  /** Sends what waits, unless it is clear that it cannot be. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    if (this.#sending !== null && !this.#outage.isOut) await answerWithin(drainMs, this.#sending).catch(() => {});
    this.#waiting = [];
  }

  #begin(): void {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
      if (this.#waiting.length > 0 && this.#retry === undefined) this.#begin();
    });
  }

  async #sendAll(): Promise<void> {
    // What is published in the same turn of the event loop, as by one commit of many jobs, goes together.
    await nextTurn();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await answerWithin(sendMs, this.#send(batch));
        this.#failures = 0;
        this.#outage.back();
      } catch (error) {
        this.#outage.lost(error);
        if (this.#closed) this.#waiting = [];
        else if (mayPass(error)) return this.#retryLater(batch);
      }
      if (!this.#closed) await sleep(gapMs);
    }
  }

  #retryLater(batch: readonly LiveMessage[]): void {
    this.#keep([...batch, ...this.#waiting]);
    this.#failures++;
    const again = () => {
      this.#retry = undefined;
      this.#begin();
    };
    this.#retry = setTimeout(again, backoffMs(this.#failures, backoff, Math.random()));
    this.#retry.unref();
  }

  #keep(messages: LiveMessage[]): void {
    this.#waiting = messages.length > mostWaiting ? messages.slice(-mostWaiting) : messages;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A notification that PostgreSQL refuses for what it says would be refused again. */
function mayPass(error: unknown): boolean {
  return !(error instanceof WorkerProgressError) || isRetryable(error);
}
