import type { CancelTimer, Clock } from "../ports/clock.js";
import type { Slot } from "./slot.js";

/** One timer for the windows of all jobs. Windows end on ticks of 20 ms, never early. */
export class WindowTimer {
  readonly #clock: Clock;
  readonly #onEnd: (slots: readonly Slot[]) => void;
  readonly #ticks = new Map<number, Slot[]>();
  #nextTick = Number.POSITIVE_INFINITY;
  #cancel: CancelTimer | null = null;
  #holdsProcess = false;

  constructor(clock: Clock, onEnd: (slots: readonly Slot[]) => void) {
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  /** Ends the slot's window at the first tick not before `at`, in monotonic milliseconds. */
  add(slot: Slot, at: number): void {
    const tick = Math.ceil(at / tickMs);
    const slots = this.#ticks.get(tick);
    if (slots === undefined) this.#ticks.set(tick, [slot]);
    else slots.push(slot);
    if (tick < this.#nextTick) this.#arm(tick);
  }

  /** Whether the process waits for the timer: only while something is unwritten. */
  hold(holdsProcess: boolean): void {
    if (holdsProcess === this.#holdsProcess) return;
    this.#holdsProcess = holdsProcess;
    if (this.#nextTick !== Number.POSITIVE_INFINITY) this.#arm(this.#nextTick);
  }

  stop(): void {
    this.#cancel?.();
    this.#ticks.clear();
    this.#nextTick = Number.POSITIVE_INFINITY;
  }

  #arm(tick: number): void {
    this.#cancel?.();
    this.#nextTick = tick;
    const delayMs = Math.max(0, tick * tickMs - this.#clock.monotonic());
    this.#cancel = this.#clock.schedule(delayMs, () => this.#fire(), this.#holdsProcess);
  }

  #fire(): void {
    // A timer may fire a fraction of a millisecond early.
    const nowTick = Math.floor((this.#clock.monotonic() + 1) / tickMs);
    const ended: Slot[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [tick, slots] of this.#ticks) {
      if (tick <= nowTick) {
        for (const slot of slots) ended.push(slot);
        this.#ticks.delete(tick);
      } else if (tick < next) next = tick;
    }
    this.#cancel = null;
    this.#nextTick = Number.POSITIVE_INFINITY;
    if (next !== Number.POSITIVE_INFINITY) this.#arm(next);
    if (ended.length > 0) this.#onEnd(ended);
  }
}

const tickMs = 20;
