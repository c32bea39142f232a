import type { BackoffPolicy } from "../../domain/backoff.js";

/** How long listening waits for what, in milliseconds. */
export interface ListeningWaits {
  /** For the connection, and for each answer on it. */
  readonly answerMs: number;
  /** For a notification of its own, which proves that notifications arrive. */
  readonly echoMs: number;
  /** Of who subscribes, for the connection to stand: who waits longer is told of a gap when it does. */
  readonly readyMs: number;
  /** Between two signs of life of the connection. */
  readonly lifeMs: number;
  /** Between tries to connect again. */
  readonly backoff: BackoffPolicy;
}

export const defaultWaits: ListeningWaits = {
  answerMs: 5_000,
  echoMs: 2_000,
  readyMs: 500,
  lifeMs: 5_000,
  backoff: { firstMs: 500, maxMs: 30_000 },
};
