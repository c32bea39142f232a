import type { Clock } from "../../ports/clock.js";
import type {
  LiveAdapter,
  LiveListener,
  LiveMessage,
  LiveProgress,
  LiveStored,
  Unsubscribe,
} from "../../ports/live.js";

/** Options of `memoryLive`. */
export interface MemoryLiveOptions {
  /** @default performance.now */
  readonly clock?: Pick<Clock, "monotonic">;
}

const maxRemembered = 10_000;
const rememberMs = 60_000;

/** Live updates within this process. */
export function memoryLive(options: MemoryLiveOptions = {}): LiveAdapter {
  const { clock = { monotonic: () => performance.now() } } = options;
  const listeners = new Map<string, Set<LiveListener>>();
  const everyCancellation = new Set<LiveListener>();
  const remembered = new Map<string, { readonly message: LiveProgress | LiveStored; readonly until: number }>();

  const remember = (message: LiveProgress | LiveStored) => {
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

  return {
    reach: "process",
    async publish(messages) {
      for (const message of messages) {
        if (message.kind !== "cancellation") remember(message);
        const to = message.kind === "cancellation" ? everyCancellation : listeners.get(message.jobId);
        for (const listener of [...(to ?? [])]) deliver(listener, message);
      }
    },
    async subscribe(jobId, listener) {
      const to = listeners.get(jobId) ?? new Set();
      listeners.set(jobId, to);
      return listen(to, listener, () => listeners.delete(jobId));
    },
    async subscribeCancellations(listener) {
      return listen(everyCancellation, listener, () => {});
    },
    async latest(jobIds) {
      const now = clock.monotonic();
      return jobIds.map((jobId) => {
        const last = remembered.get(jobId);
        return last !== undefined && last.until > now ? last.message : null;
      });
    },
    async close() {
      listeners.clear();
      everyCancellation.clear();
      remembered.clear();
    },
  };
}

function deliver(listener: LiveListener, message: LiveMessage): void {
  try {
    listener.onMessage(message);
  } catch (error) {
    // Whose listener it is must learn of it; the others must hear the message.
    queueMicrotask(() => {
      throw error;
    });
  }
}
