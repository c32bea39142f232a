/**
 * Where a publisher stands.
 *
 * - `idle`: nothing was asked of it yet.
 * - `connecting`: it connects or declares the topology.
 * - `ready`: it publishes; `waiting` calls of `publish` wait for their confirms.
 * - `blocked`: the broker takes nothing until an alarm clears; `waiting` calls wait.
 * - `lost`: the next `setup` or `publish` connects again.
 * - `closed`: for good.
 */
export type RabbitmqPublisherState =
  | { readonly kind: "idle" }
  | { readonly kind: "connecting" }
  | { readonly kind: "ready"; readonly waiting: number }
  | { readonly kind: "blocked"; readonly waiting: number; readonly reason: string }
  | { readonly kind: "lost"; readonly reason: string }
  | { readonly kind: "closed" };
