import { type BackoffPolicy, backoffMs } from "../domain/backoff.js";
import type { JobEvent } from "../domain/event.js";
import type { CancelTimer, Clock } from "../ports/clock.js";
import type { Log } from "../ports/log.js";
import type { OutboxAdapter, OutboxRow } from "../ports/outbox.js";
import { held, settledBy } from "./bounded.js";
import { Claimed } from "./claimed.js";
import type { DeliveryState, EventDelivery } from "./event-delivery.js";
import type { Publishing } from "./publishing.js";

export interface RelayOptions {
  readonly outbox: OutboxAdapter;
  readonly publishing: Publishing;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  /** Names this relay in the lease. */
  readonly owner: string;
  readonly leaseMs: number;
  /** Most events in one claim. */
  readonly batchSize: number;
  /** Most claims being published at a time. */
  readonly depth: number;
  /** How often a process with nothing to say looks for events that others left behind. */
  readonly pollMs: number;
  readonly backoff: BackoffPolicy;
}

/** How one run of the relay ended. */
type Run = "drained" | "held elsewhere" | "stuck";

// The holder is done within milliseconds as a rule; when it is not, it takes our events along.
const contention: BackoffPolicy = { firstMs: 10, maxMs: 250 };

/**
 * Moves events from the outbox to the publisher. One relay at a time holds the lease, so that events leave in order; it
 * is given up when the outbox is empty and taken over when its holder dies. A commit wakes the relay of its own
 * process; when another process holds the lease it asks again until it has looked itself, so no event waits for a poll.
 */
export class Relay implements EventDelivery {
  readonly viaOutbox = true;
  readonly #options: RelayOptions;
  #wanted = false;
  #running: Promise<void> | null = null;
  #lastRun: Run = "drained";
  /** How often in a row the last run ended the same way. */
  #tries = 0;
  #cancelPoll: CancelTimer | null = null;
  #cancelWait: (() => void) | null = null;
  #stopped = false;
  #warned = false;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#stopped || this.#cancelPoll !== null) return;
    this.#schedulePoll();
  }

  committed(_events: readonly JobEvent[]): void {
    this.#wake();
  }

  expected(): void {
    const { clock } = this.#options;
    for (const afterMs of [10, 50, 250]) clock.schedule(afterMs, () => this.#wake(), false);
  }

  drain(deadline: number): Promise<boolean> {
    this.#wake();
    return settledBy(this.#options.clock, deadline, () => this.#running);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelPoll?.();
    this.#cancelWait?.();
    await this.#running;
  }

  state(): DeliveryState {
    return this.#options.publishing.state();
  }

  #wake(): void {
    if (this.#stopped) return;
    this.#wanted = true;
    this.#running ??= held(this.#options.clock, this.#loop()).finally(() => {
      this.#running = null;
      if (this.#wanted) this.#wake();
    });
  }

  async #loop(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      const run = await this.#run();
      if (run !== this.#lastRun) this.#tries = 0;
      this.#lastRun = run;
      if (run === "drained") continue;
      this.#wanted = true;
      const policy = run === "held elsewhere" ? contention : this.#options.backoff;
      await this.#pause(backoffMs(++this.#tries, policy, this.#options.random()));
    }
  }

  async #run(): Promise<Run> {
    const { outbox, owner } = this.#options;
    const inFlight: Promise<boolean>[] = [];
    let end: Run = "stuck";
    const stopRenewing = this.#renewLease();
    try {
      end = await this.#stream(inFlight);
      this.#warned = false;
    } catch (error) {
      this.#warnOnce(error);
    }
    // None may still be under way when the relay begins again.
    await Promise.allSettled(inFlight);
    await stopRenewing();
    if (end !== "held elsewhere") await outbox.release(owner).catch(() => {});
    return end;
  }

  /**
   * Keeps the lease while a slow publisher has what was claimed: another relay would publish it as well. Answers how to stop,
   * which takes until no claim is under way that would take the lease again after it was given up.
   */
  #renewLease(): () => Promise<unknown> {
    const { outbox, clock, owner, leaseMs } = this.#options;
    let cancel: CancelTimer;
    let renewed: Promise<unknown> = Promise.resolve();
    const renewLater = () => {
      cancel = clock.schedule(
        leaseMs / 3,
        () => {
          renewLater();
          renewed = Promise.allSettled([renewed, outbox.claim({ owner, leaseMs, after: null, limit: 0 })]);
        },
        false,
      );
    };
    renewLater();
    return () => {
      cancel();
      return renewed;
    };
  }

  /** Claims, publishes and acknowledges with several claims under way. Publishing starts in claim order, so it stays in order. */
  async #stream(inFlight: Promise<boolean>[]): Promise<Run> {
    const { outbox, publishing, owner, leaseMs, batchSize, depth } = this.#options;
    const { breaks } = publishing;
    const claimed = new Claimed();
    let after: string | null = null;
    for (;;) {
      claimed.forgetAcknowledged();
      const claim = await outbox.claim({ owner, leaseMs, after, limit: batchSize });
      // A batch after one that was not published to its end must not overtake it.
      if (publishing.breaks !== breaks) return "stuck";
      if (!claim.held) return (await allDone(inFlight)) ? "held elsewhere" : "stuck";
      const isInOrder = claim.before.every((position) => claimed.has(position));
      const last = claim.rows.at(-1);
      if (isInOrder && last !== undefined) {
        const published = this.#publish(claim.rows, claimed);
        published.catch(() => {});
        inFlight.push(published);
        after = last.position;
      }
      if (isInOrder && claim.rows.length === batchSize && !this.#stopped) {
        if (inFlight.length >= depth && !(await inFlight.shift())) return "stuck";
        continue;
      }
      if (!(await allDone(inFlight))) return "stuck";
      inFlight.length = 0;
      if ((isInOrder && !this.#wanted) || this.#stopped) return "drained";
      // More was committed meanwhile, perhaps in front of the last position: commits may become visible late.
      this.#wanted = false;
      after = null;
    }
  }

  async #publish(rows: readonly OutboxRow[], claimed: Claimed): Promise<boolean> {
    claimed.add(rows);
    const done = await this.#options.publishing.publish(rows.map((row) => row.event));
    const positions = rows.slice(0, done).map((row) => row.position);
    if (positions.length > 0) await this.#options.outbox.acknowledge(positions);
    claimed.acknowledged(positions);
    return done === rows.length;
  }

  // What ails the publisher is told by `Publishing`.
  #warnOnce(error: unknown): void {
    if (this.#warned || this.#options.publishing.state().publisher === "down") return;
    this.#warned = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log.warn("The outbox cannot be read: events wait and are tried again", { reason });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.schedule(ms, resolve, true);
      this.#cancelWait = () => {
        cancel();
        resolve();
      };
    });
  }

  #schedulePoll(): void {
    const { clock, pollMs, outbox } = this.#options;
    this.#cancelPoll = clock.schedule(
      pollMs,
      () => {
        if (this.#stopped) return;
        if (this.#running !== null) return this.#schedulePoll();
        outbox
          .backlog()
          .then(({ waiting }) => waiting > 0 && this.#wake())
          .catch(() => {})
          .finally(() => this.#stopped || this.#schedulePoll());
      },
      false,
    );
  }
}

async function allDone(publishing: readonly Promise<boolean>[]): Promise<boolean> {
  return (await Promise.all(publishing)).every(Boolean);
}
