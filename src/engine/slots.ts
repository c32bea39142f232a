import type { CancelTimer, Clock } from "../ports/clock.js";
import { Slot } from "./slot.js";

export interface SlotsOptions {
  readonly clock: Clock;
  /** How long a job is remembered that nobody reports on, in milliseconds. */
  readonly idleMs: number;
  /** How many jobs are remembered while they are idle. */
  readonly maxIdle: number;
}

/**
 * The slots of all jobs of this process. Idle ones are forgotten; a job that this process started and did not finish is
 * remembered longer, because its slot carries the fence: only when there are more than `maxIdle`, the longest idle first. Of
 * one whose worker was told to end, the attempt is all that stays.
 */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #slots = new Map<string, Slot>();
  /** The attempts that plain calls of this process belong to, of jobs whose worker was told to end. */
  readonly #fences = new Map<string, number>();
  #cancel: CancelTimer | null = null;

  constructor(options: SlotsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#slots.size;
  }

  get(key: string): Slot | undefined {
    return this.#slots.get(key);
  }

  open(key: string): Slot {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = new Slot(key);
      slot.attempt = this.#fences.get(key) ?? null;
      this.#slots.set(key, slot);
      this.#cancel ??= this.#scheduleSweep();
    }
    slot.lastActive = this.#options.clock.monotonic();
    return slot;
  }

  values(): Iterable<Slot> {
    return this.#slots.values();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #forget({ key, signal }: Slot): void {
    this.#slots.delete(key);
    if (signal === null) return;
    this.#fences.delete(key);
    if (!signal.ended) this.#fences.set(key, signal.attempt);
  }

  #scheduleSweep(): CancelTimer {
    const { clock, idleMs } = this.#options;
    return clock.schedule(Math.min(idleMs, 60_000), () => this.#sweep(), false);
  }

  #sweep(): void {
    const { clock, idleMs, maxIdle } = this.#options;
    const now = clock.monotonic();
    const idle = [...this.#slots.values()].filter((slot) => isIdle(slot));
    for (const slot of idle) {
      if (now - slot.lastActive >= idleMs && !isRunning(slot)) this.#forget(slot);
    }
    const left = idle.filter((slot) => this.#slots.has(slot.key)).sort((a, b) => a.lastActive - b.lastActive);
    for (const slot of left.slice(0, Math.max(0, left.length - maxIdle))) this.#slots.delete(slot.key);
    for (const key of this.#fences.keys()) {
      if (this.#fences.size <= maxIdle) break;
      this.#fences.delete(key);
    }
    this.#cancel = this.#slots.size > 0 ? this.#scheduleSweep() : null;
  }
}

function isIdle(slot: Slot): boolean {
  return !slot.dirty && !slot.inFlight && !slot.windowRuns && slot.queued === "no" && slot.lane.length === 0;
}

function isRunning({ signal }: Slot): boolean {
  return signal !== null && !signal.ended && signal.reason === null;
}
