import type { AmqpChannelModel } from "./client-types.js";

/*
 * What amqplib has and does not document. Everything here is optional: where a version lacks it, nothing happens and only
 * the finer manners are lost.
 */

interface Holding {
  ref?(): void;
  unref?(): void;
}

interface Internals {
  readonly blocked?: unknown;
  readonly stream?: Holding & { destroy?(error: Error): void };
  readonly heartbeater?: { readonly sendTimer?: Holding; readonly recvTimer?: Holding } | null;
}

/** Whether the broker takes nothing on this connection at the moment: it told others before it could tell us. */
export function isBlocked(model: AmqpChannelModel): boolean {
  return internals(model).blocked === true;
}

/**
 * Lets go of the connection at once: amqplib only half-closes it, which a dead peer never answers. The error is what makes
 * amqplib end its heartbeats, channels and the connection.
 */
export function destroySocket(model: AmqpChannelModel): void {
  internals(model).stream?.destroy?.(new Error("Let go of"));
}

/** Whether the connection keeps the process alive. */
export function holdProcess(model: AmqpChannelModel, hold: boolean): void {
  const { stream, heartbeater } = internals(model);
  for (const handle of [stream, heartbeater?.sendTimer, heartbeater?.recvTimer]) {
    if (hold) handle?.ref?.();
    else handle?.unref?.();
  }
}

function internals(model: AmqpChannelModel): Internals {
  return (model.connection ?? {}) as Internals;
}
