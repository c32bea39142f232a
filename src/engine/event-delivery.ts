import type { JobEvent } from "../domain/event.js";

/** How committed events get to the publisher. */
export interface EventDelivery {
  /** Whether events are stored with the change. */
  readonly viaOutbox: boolean;
  /** Events of changes that are stored. */
  committed(events: readonly JobEvent[]): void;
  /** A caller's transaction holds events that become visible when it commits. */
  expected(): void;
  start(): void;
  /** Resolves when all that is known was published or `deadline` (monotonic milliseconds) has come: whether all was. */
  drain(deadline: number): Promise<boolean>;
  stop(): Promise<void>;
  state(): DeliveryState;
}

export interface DeliveryState {
  readonly publisher: "up" | "down" | "idle" | "none";
  /** Why the publisher is down. */
  readonly reason: string | null;
  readonly published: number;
  /** Events that no queue was bound for and that were let go. */
  readonly unroutable: number;
}
