import type { Listener } from "../guarantees/listener.js";

const everyMs = 10;

/** Notes when deliveries arrive, to the hundredth of a second, in milliseconds since the epoch. */
export function arrivalTimes({ deliveries }: Listener): Disposable & { readonly times: readonly number[] } {
  const times: number[] = [];
  let seen = deliveries.length;
  const timer = setInterval(() => {
    if (deliveries.length > seen) times.push(Date.now());
    seen = deliveries.length;
  }, everyMs);
  return { times, [Symbol.dispose]: () => clearInterval(timer) };
}
