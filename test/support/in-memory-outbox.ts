import type { JobEvent } from "../../src/domain/event.js";
import type { Clock } from "../../src/ports/clock.js";
import type { Claim, ClaimRequest, OutboxAdapter, OutboxBacklog, OutboxRow } from "../../src/ports/outbox.js";

/** Lets calls through, or makes them wait. */
export class Gate {
  #waiting: (() => void)[] = [];
  #closed = false;

  /** How many calls wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  close(): void {
    this.#closed = true;
  }

  open(): void {
    this.#closed = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  async pass(): Promise<void> {
    if (this.#closed) await new Promise<void>((go) => this.#waiting.push(go));
  }
}

interface Entry extends OutboxRow {
  readonly at: number;
}

/** An outbox with a lease. Positions are taken when a row is inserted, which may be before it can be seen. */
export class InMemoryOutbox implements OutboxAdapter {
  /** Every event that was ever stored, in the order in which it became visible. */
  readonly history: JobEvent[] = [];
  readonly claims: ClaimRequest[] = [];
  readonly #clock: Clock;
  readonly #reached: () => Promise<void>;
  readonly #rows = new Map<string, Entry>();
  #lastPosition = 0;
  #lease: { readonly owner: string; readonly until: number } | null = null;

  constructor(clock: Clock, reached: () => Promise<void>) {
    this.#clock = clock;
    this.#reached = reached;
  }

  /** Takes a position for the event; the answer makes it visible. */
  insert(event: JobEvent): () => void {
    const position = String(++this.#lastPosition);
    return () => {
      this.history.push(event);
      this.#rows.set(position, { position, event, at: this.#clock.wall() });
    };
  }

  /** Events that wait, in order of position. */
  get waiting(): readonly JobEvent[] {
    return this.#inOrder().map((row) => row.event);
  }

  /** Who holds the lease now. */
  get holder(): string | null {
    return this.#lease !== null && this.#lease.until > this.#clock.monotonic() ? this.#lease.owner : null;
  }

  async claim(request: ClaimRequest): Promise<Claim> {
    this.claims.push(request);
    await this.#reached();
    const { owner, leaseMs, after, limit } = request;
    if (this.holder !== null && this.holder !== owner) return { held: false };
    this.#lease = { owner, until: this.#clock.monotonic() + leaseMs };
    const isBehind = ({ position }: OutboxRow) => after === null || Number(position) > Number(after);
    const behind = this.#inOrder().filter(isBehind);
    const before = this.#inOrder().flatMap((row) => (isBehind(row) ? [] : row.position));
    return { held: true, rows: behind.slice(0, limit).map(({ position, event }) => ({ position, event })), before };
  }

  async acknowledge(positions: readonly string[]): Promise<void> {
    await this.#reached();
    for (const position of positions) this.#rows.delete(position);
  }

  async release(owner: string): Promise<void> {
    await this.#reached();
    if (this.#lease?.owner === owner) this.#lease = null;
  }

  async backlog(): Promise<OutboxBacklog> {
    await this.#reached();
    const oldest = Math.min(...[...this.#rows.values()].map((row) => row.at));
    return { waiting: this.#rows.size, oldestAt: this.#rows.size === 0 ? null : oldest };
  }

  #inOrder(): Entry[] {
    return [...this.#rows.values()].sort((a, b) => Number(a.position) - Number(b.position));
  }
}
