import { WorkerProgressError } from "../../src/domain/errors.js";
import type { JobEvent } from "../../src/domain/event.js";
import type { CancelTimer, Clock } from "../../src/ports/clock.js";
import type { DedupeAdapter } from "../../src/ports/dedupe.js";
import type { LiveAdapter } from "../../src/ports/live.js";
import type { OutboxAdapter } from "../../src/ports/outbox.js";
import type { PublisherAdapter } from "../../src/ports/publisher.js";
import type { StorageAdapter } from "../../src/ports/storage.js";
import type { ThrottleAdapter } from "../../src/ports/throttle.js";
import { RecordingPublisher } from "../support/recording-publisher.js";
import type { SimulatedClock } from "../support/simulated-clock.js";
import type { Request, Weather } from "./weather.js";

/** One process: its clock, and its lines to the servers. When it dies no timer of it fires and no answer reaches it. */
export class Line implements Clock {
  readonly name: string;
  readonly weather: Weather;
  readonly #clock: SimulatedClock;
  readonly #timers = new Set<CancelTimer>();
  #dead = false;

  readonly #skewMs: number;

  /** `skewMs` is how far its wall clock is ahead: no two machines agree to the millisecond. */
  constructor(name: string, weather: Weather, skewMs: number) {
    this.name = name;
    this.#skewMs = skewMs;
    this.weather = weather;
    this.#clock = weather.clock;
  }

  /** Timers that have not fired. */
  get timers(): number {
    return this.#timers.size;
  }

  get dead(): boolean {
    return this.#dead;
  }

  wall(): number {
    return this.#clock.wall() + this.#skewMs;
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  schedule(delayMs: number, run: () => void, holdsProcess: boolean): CancelTimer {
    if (this.#dead) return () => {};
    const fire = () => {
      this.#timers.delete(cancel);
      run();
    };
    const stop = this.#clock.schedule(delayMs, fire, holdsProcess);
    const cancel = () => {
      this.#timers.delete(cancel);
      stop();
    };
    this.#timers.add(cancel);
    return cancel;
  }

  die(): void {
    this.#dead = true;
    for (const cancel of [...this.#timers]) cancel();
  }

  /** A round trip. `work` is done when the request arrives, even if the process has died meanwhile. */
  async ask<T>(request: Request, away: () => Error, work: (wrongly: boolean) => Promise<T>): Promise<T> {
    if (this.#dead) return never();
    const { thereMs, backMs, trouble } = this.weather.passage(this.name, request);
    if (trouble === "is never answered") return never();
    await this.travel(thereMs);
    if (trouble === "is refused") throw away();
    const result = await work(trouble === "is answered wrongly").then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error;
      },
    );
    await this.travel(backMs);
    if (this.#dead) return never();
    if (trouble === "loses its answer") throw away();
    return result();
  }

  travel(ms: number): Promise<void> {
    return ms === 0 ? Promise.resolve() : new Promise((arrived) => this.#clock.schedule(ms, arrived, false));
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

const storageAway = () => new WorkerProgressError("STORAGE_UNAVAILABLE", "The storage cannot be reached");
const brokerAway = () => new WorkerProgressError("PUBLISHER_UNAVAILABLE", "The broker cannot be reached");
const redisAway = () => new Error("Redis cannot be reached");

/** A process's way to the storage. */
export function storageOver(line: Line, storage: StorageAdapter, outbox: OutboxAdapter | null): StorageAdapter {
  const ask = <T>(request: Request, work: () => Promise<T>) => line.ask(request, storageAway, work);
  return {
    schema: storage.schema,
    outbox:
      outbox === null
        ? null
        : {
            claim: (request) => ask("claim", () => outbox.claim(request)),
            acknowledge: (positions) => ask("acknowledge", () => outbox.acknowledge(positions)),
            release: (owner) => ask("release", () => outbox.release(owner)),
            backlog: () => ask("backlog", () => outbox.backlog()),
          },
    prepare: () => storage.prepare(),
    load: (ids, transaction) => ask("load", () => storage.load(ids, transaction)),
    commit: (writes, transaction) => ask("commit", () => storage.commit(writes, transaction)),
    findSilent: (since, limit) => ask("findSilent", () => storage.findSilent(since, limit)),
    create: (job) => ask("create", () => storage.create(job)),
    close: async () => {},
  };
}

/** A window that was given to a process: it may write the job once. */
export interface Grant {
  readonly process: string;
  readonly job: string;
}

/** A process's way to the shared windows. What it is not answered, it gives itself: that is a grant too. */
export function throttleOver(line: Line, throttle: ThrottleAdapter, grants: Grant[]): ThrottleAdapter {
  const granted = (keys: readonly string[], waits: readonly number[]) => {
    for (const [i, job] of keys.entries()) if ((waits[i] ?? 0) === 0) grants.push({ process: line.name, job });
    return waits;
  };
  return {
    acquire: async (keys, windowMs) => {
      try {
        const work = async (wrongly: boolean) => {
          return wrongly ? keys.slice(1).map(() => windowMs * 3) : throttle.acquire(keys, windowMs);
        };
        return granted(keys, await line.ask("acquire", redisAway, work));
      } catch (error) {
        granted(keys, []);
        throw error;
      }
    },
    close: async () => {},
  };
}

/** A process's channel to the broker: what is sent first arrives first. */
export function publisherOver(line: Line, arrivals: JobEvent[]): PublisherAdapter {
  const channel = new RecordingPublisher(arrivals);
  let sent: Promise<void> = Promise.resolve();
  return {
    setup: () => line.ask("setup", brokerAway, () => channel.setup()),
    publish: async (events) => {
      if (line.dead) return never();
      const { thereMs, backMs, trouble } = line.weather.passage(line.name, "publish");
      const before = sent;
      const arrived = before.then(() => line.travel(thereMs));
      sent = arrived;
      await arrived;
      if (trouble === "is refused") channel.next("before");
      else channel.next(trouble === "loses its answer" ? "after" : null);
      const outcome = await channel.publish(events).then(
        (outcomes) => () => outcomes,
        (error: unknown) => () => {
          throw error;
        },
      );
      await line.travel(backMs);
      return line.dead ? never() : outcome();
    },
    close: async () => {},
  };
}

export function dedupeOver(line: Line, dedupe: DedupeAdapter): DedupeAdapter {
  return {
    mark: (ids, ttlMs) => line.ask("mark", redisAway, () => dedupe.mark(ids, ttlMs)),
    unmark: (ids) => line.ask("unmark", redisAway, () => dedupe.unmark(ids)),
    close: async () => {},
  };
}

/** A process's way to live updates: at most once, in order, and never an error. */
export function liveOver(line: Line, live: LiveAdapter): LiveAdapter {
  return {
    reach: live.reach,
    publish: (messages) => line.ask("tell", redisAway, () => live.publish(messages)).catch(() => {}),
    latest: (ids) => line.ask("latest", redisAway, () => live.latest(ids)).catch(() => ids.map(() => null)),
    subscribe: async (jobId, listener) => {
      return live.subscribe(jobId, {
        onMessage: (message) => line.dead || listener.onMessage(message),
        onGap: () => line.dead || listener.onGap(),
      });
    },
    subscribeCancellations: async (listener) => {
      return live.subscribeCancellations({
        onMessage: (message) => line.dead || listener.onMessage(message),
        onGap: () => line.dead || listener.onGap(),
      });
    },
    close: async () => {},
  };
}
