import { canonicalJobId, type JobIdType } from "../domain/job-id.js";
import type { Clock } from "../ports/clock.js";
import type { ThrottleAdapter } from "../ports/throttle.js";
import { held } from "./bounded.js";
import type { Committer } from "./committer.js";
import { Fifo } from "./fifo.js";
import type { Slot } from "./slot.js";
import { WindowTimer } from "./window-timer.js";

export interface GateOptions {
  readonly committer: Committer;
  readonly throttle: ThrottleAdapter;
  readonly clock: Clock;
  readonly windowMs: number;
  /** The slot's window is acquired: it may write. */
  readonly onAllowed: (slot: Slot) => void;
  /** The slot's window is over. */
  readonly onWindowEnded: (slot: Slot) => void;
  /** The throttle has answered: others may ask. */
  readonly onAnswered: () => void;
}

const maxKeys = 1_000;

/** Lets a job write once per window: the throttle is asked for all jobs whose turn it is in one round trip. */
export class Gate {
  readonly #options: GateOptions;
  readonly #timer: WindowTimer;
  readonly #due = new Fifo<Slot>();
  #asking = false;
  #stopped = false;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#timer = new WindowTimer(options.clock, (slots) => this.#windowsEnded(slots));
  }

  /** Who waits to ask the throttle, or has left the line meanwhile. */
  get due(): readonly Slot[] {
    return this.#due.values();
  }

  line(slot: Slot): void {
    this.#due.push(slot);
  }

  /** Asks the throttle for those in line, unless it is being asked. */
  open(): void {
    if (!this.#asking && this.#due.length > 0) void this.#ask();
  }

  startWindow(slot: Slot, forMs = this.#options.windowMs): void {
    if (this.#stopped) return;
    slot.windowRuns = true;
    this.#timer.add(slot, this.#options.clock.monotonic() + forMs);
  }

  /** Whether the process waits for windows to end. */
  hold(holdsProcess: boolean): void {
    this.#timer.hold(holdsProcess);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer.stop();
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    const idType = await this.#idType();
    const slots = new Map<string, Slot>();
    while (slots.size < maxKeys) {
      const slot = this.#due.shift();
      if (slot === undefined) break;
      if (slot.queued !== "due") continue;
      slot.queued = "no";
      if (slot.windowRuns || slot.inFlight || !(slot.dirty || slot.touching)) continue;
      const key = identify(slot, idType);
      if (!slots.has(key)) slots.set(key, slot);
      else {
        this.startWindow(slot);
        slot.settleFirst({ outcome: "coalesced" });
      }
    }
    await this.#acquire(slots);
    this.#asking = false;
    this.#options.onAnswered();
  }

  // While the storage is away ids go as they were written: the commit meets the same error and answers for it.
  async #idType(): Promise<JobIdType | null> {
    return this.#options.committer.traits().then(
      (traits) => traits.idType,
      () => null,
    );
  }

  async #acquire(slots: ReadonlyMap<string, Slot>): Promise<void> {
    if (slots.size === 0) return;
    const { throttle, clock, windowMs, onAllowed } = this.#options;
    const waits = await held(clock, throttle.acquire([...slots.keys()], windowMs)).catch(() => []);
    let i = 0;
    for (const slot of slots.values()) {
      const wait = waits[i++] ?? 0;
      this.startWindow(slot, wait === 0 ? windowMs : wait);
      if (wait === 0) onAllowed(slot);
      else slot.settleFirst({ outcome: "coalesced" });
    }
  }

  #windowsEnded(slots: readonly Slot[]): void {
    for (const slot of slots) {
      slot.windowRuns = false;
      slot.refusal = null;
      this.#options.onWindowEnded(slot);
    }
  }
}

function identify(slot: Slot, idType: JobIdType | null): string {
  if (slot.id === null && idType !== null) {
    const canonical = canonicalJobId(slot.key, idType);
    if (canonical.ok) slot.id = canonical.id;
  }
  return slot.id ?? slot.key;
}
