import type { JobEvent } from "../domain/event.js";

/** An event in the outbox. */
export interface OutboxRow {
  /** Increases in commit order within a job. Decimal text. */
  readonly position: string;
  readonly event: JobEvent;
}

/** What a relay asks for. */
export interface ClaimRequest {
  /** Names the relay; one relay at a time holds the lease. */
  readonly owner: string;
  /** How long the lease lasts from now, in milliseconds: another relay takes over when it has run out. */
  readonly leaseMs: number;
  /** Only rows behind this position; null for all. */
  readonly after: string | null;
  /** 0 only renews the lease. */
  readonly limit: number;
}

/**
 * Rows in order of position, or the news that another relay holds the lease. `before` are the positions of all rows up to and
 * including `after` that are still there: those claimed and not acknowledged, and those that became visible late.
 */
export type Claim =
  | { readonly held: true; readonly rows: readonly OutboxRow[]; readonly before: readonly string[] }
  | { readonly held: false };

/** How much waits. */
export interface OutboxBacklog {
  readonly waiting: number;
  /** When the oldest waiting event was stored, in milliseconds since the epoch; null when none waits. */
  readonly oldestAt: number | null;
}

/**
 * The transactional outbox. Rows enter it through `StorageAdapter.commit` only, and leave it only by `acknowledge`.
 * Rejects like `StorageAdapter`.
 */
export interface OutboxAdapter {
  /** Takes or renews the lease and reads rows, in one round trip. */
  claim(request: ClaimRequest): Promise<Claim>;
  /** Removes published rows. Removing a row twice is no error. */
  acknowledge(positions: readonly string[]): Promise<void>;
  /** Gives the lease up if `owner` holds it, so that another relay need not wait for it to run out. */
  release(owner: string): Promise<void>;
  backlog(): Promise<OutboxBacklog>;
}
