import type { Log } from "../../ports/log.js";

/** Says once that something is lost, and once that it is back. */
export class OutageLog {
  readonly #log: Log;
  readonly #lost: string;
  readonly #back: string;
  #isOut = false;

  constructor(log: Log, lost: string, back: string) {
    this.#log = log;
    this.#lost = lost;
    this.#back = back;
  }

  get isOut(): boolean {
    return this.#isOut;
  }

  lost(cause: unknown): void {
    if (this.#isOut) return;
    this.#isOut = true;
    this.#log.warn(this.#lost, { reason: cause instanceof Error ? cause.message : String(cause) });
  }

  back(): void {
    if (!this.#isOut) return;
    this.#isOut = false;
    this.#log.warn(this.#back);
  }
}
