import type { OutboxRow } from "../ports/outbox.js";

/** The positions that are claimed and may still be in the outbox. */
export class Claimed {
  readonly #positions = new Set<string>();
  #acknowledged: string[] = [];

  has(position: string): boolean {
    return this.#positions.has(position);
  }

  add(rows: readonly OutboxRow[]): void {
    for (const { position } of rows) this.#positions.add(position);
  }

  acknowledged(positions: readonly string[]): void {
    for (const position of positions) this.#acknowledged.push(position);
  }

  /** A claim that is under way may still see what is acknowledged meanwhile; the next one does not. */
  forgetAcknowledged(): void {
    for (const position of this.#acknowledged.splice(0)) this.#positions.delete(position);
  }
}
