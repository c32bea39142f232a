import { type Delivery, firstArrivals, type Listener, listen } from "../guarantees/listener.js";
import type { Stage } from "../guarantees/stage.js";
import { eventually } from "../support/eventually.js";

/** Listens on one durable queue as {@link listen} does, and comes back to it whenever its connection is lost. */
export async function listenLastingly(stage: Pick<Stage, "address" | "queue">): Promise<Omit<Listener, "gone">> {
  let current: Listener = await listen(stage);
  let closed = false;
  const earlier: Delivery[] = [];
  const deliveries = () => [...earlier, ...current.deliveries];
  const keepUp = async () => {
    for (;;) {
      await current.gone;
      if (closed) return;
      const next = await eventually(() => listen(stage), { timeoutMs: 60_000, everyMs: 50 });
      earlier.push(...current.deliveries);
      current = next;
    }
  };
  const keptUp = keepUp();
  const close = async () => {
    closed = true;
    await current.close();
    await keptUp;
  };
  return {
    get deliveries() {
      return deliveries();
    },
    firstArrivals: () => firstArrivals(deliveries()),
    close,
    [Symbol.asyncDispose]: close,
  };
}
