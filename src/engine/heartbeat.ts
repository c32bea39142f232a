import type { CancelTimer, Clock } from "../ports/clock.js";
import type { Batcher } from "./batcher.js";
import type { Slot } from "./slot.js";
import type { Slots } from "./slots.js";

export interface HeartbeatOptions {
  readonly slots: Slots;
  readonly batcher: Batcher;
  readonly clock: Clock;
  /** How long a running job may go without a write before it gets a sign of life, in milliseconds. */
  readonly everyMs: number;
}

/** Gives a sign of life for each job that this process runs and whose progress stands still. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #cancel: CancelTimer | null = null;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Beats from the first job on that this process begins. Never keeps the process alive. */
  start(): void {
    const { clock, everyMs } = this.#options;
    this.#cancel ??= clock.schedule(everyMs / 2, () => this.#beat(), false);
  }

  stop(): void {
    this.#cancel?.();
  }

  #beat(): void {
    const { slots, batcher, clock, everyMs } = this.#options;
    const silentSince = clock.monotonic() - everyMs / 2;
    for (const slot of slots.values()) if (isRunningHere(slot) && slot.lastWrite <= silentSince) batcher.touch(slot);
    this.#cancel = null;
    this.start();
  }
}

function isRunningHere({ signal, known }: Slot): boolean {
  // A job that its worker has put back into the queue waits for another.
  return signal?.atWork === true && known?.status !== "pending" && known?.status !== "queued";
}
