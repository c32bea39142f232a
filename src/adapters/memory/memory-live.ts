import { isBehind } from "../../domain/live-message.js";
import type { Clock } from "../../ports/clock.js";
import type {
  LiveAdapter,
  LiveListener,
  LiveMessage,
  LiveProgress,
  LiveStored,
  Unsubscribe,
} from "../../ports/live.js";
import type { Log } from "../../ports/log.js";

/** Options of `memoryLive`. */
export interface MemoryLiveOptions {
  /** @default performance.now */
  readonly clock?: Pick<Clock, "monotonic">;
  /** Told of listeners that fail. @default console */
  readonly log?: Log;
}

const maxRemembered = 10_000;
const rememberMs = 60_000;

/** Live updates within this process, delivered in the order of publishing. Keeps the last of 10,000 jobs for a minute. */
export function memoryLive(options: MemoryLiveOptions = {}): LiveAdapter {
  const { clock = { monotonic: () => performance.now() }, log = console } = options;
  const listeners = new Map<string, Set<LiveListener>>();
  const everyCancellation = new Set<LiveListener>();
  const remembered = new Map<string, { readonly message: LiveProgress | LiveStored; readonly until: number }>();

  const latestOf = (jobId: string) => {
    const last = remembered.get(jobId);
    return last !== undefined && last.until > clock.monotonic() ? last.message : null;
  };
  const remember = (message: LiveProgress | LiveStored) => {
    const last = latestOf(message.jobId);
    if (last !== null && isBehind(message, last)) return;
    remembered.delete(message.jobId);
    remembered.set(message.jobId, { message, until: clock.monotonic() + rememberMs });
    for (const oldest of remembered.keys()) {
      if (remembered.size <= maxRemembered) break;
      remembered.delete(oldest);
    }
  };
  const listen = (to: Set<LiveListener>, listener: LiveListener, onEmpty: () => void): Unsubscribe => {
    // An object of its own: the same listener may subscribe twice.
    const own = { onMessage: (message: LiveMessage) => listener.onMessage(message), onGap: () => listener.onGap() };
    to.add(own);
    return () => {
      if (to.delete(own) && to.size === 0) onEmpty();
    };
  };
  const send = (message: LiveMessage) => {
    if (message.kind !== "cancellation") remember(message);
    const to = message.kind === "cancellation" ? everyCancellation : listeners.get(message.jobId);
    for (const listener of [...(to ?? [])]) deliver(listener, message, log);
  };
  let closed = false;
  let sending = false;
  const waiting: LiveMessage[] = [];

  return {
    reach: "process",
    async publish(messages) {
      if (closed) return;
      waiting.push(...messages);
      // A listener that publishes must not let the others hear its message before the one it answers.
      if (sending) return;
      sending = true;
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) send(next);
      sending = false;
    },
    async subscribe(jobId, listener) {
      if (closed) return () => {};
      const to = listeners.get(jobId) ?? new Set();
      listeners.set(jobId, to);
      return listen(to, listener, () => listeners.delete(jobId));
    },
    async subscribeCancellations(listener) {
      if (closed) return () => {};
      return listen(everyCancellation, listener, () => {});
    },
    async latest(jobIds) {
      return jobIds.map(latestOf);
    },
    async close() {
      closed = true;
      waiting.length = 0;
      listeners.clear();
      everyCancellation.clear();
      remembered.clear();
    },
  };
}

function deliver(listener: LiveListener, message: LiveMessage, log: Log): void {
  try {
    listener.onMessage(message);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn("A listener of live updates failed", { reason });
  }
}
