import type { WorkerProgressError } from "./errors.js";

/**
 * What became of a reported progress.
 *
 * - `written`: stored; `percent` is what the column holds now.
 * - `coalesced`: kept as the newest of its window, written when the window ends; or kept waiting by a slow storage for
 *   longer than `storageTimeoutMs`, written in its turn.
 * - `deferred`: kept as the newest; the storage is away, it is written when it is back.
 * - `rejected`: nothing was kept; `error.code` says why.
 */
export type ProgressResult =
  | { readonly outcome: "written"; readonly percent: number; readonly attempt: number }
  | { readonly outcome: "coalesced" }
  | { readonly outcome: "deferred"; readonly error: WorkerProgressError }
  | { readonly outcome: "rejected"; readonly error: WorkerProgressError };
