/**
 * The outcome of `work`, or a rejection after `timeoutMs`; what comes after that goes to `discard`. Some calls of amqplib
 * never settle on a dead network.
 */
export function within<T>(work: Promise<T>, timeoutMs: number, discard: (value: T) => void = () => {}): Promise<T> {
  return new Promise((resolve, reject) => {
    let inTime = true;
    const timer = setTimeout(() => {
      inTime = false;
      reject(new Error(`no answer came within ${timeoutMs} ms`));
    }, timeoutMs);
    const settle = (how: () => void) => {
      clearTimeout(timer);
      how();
    };
    work.then(
      (value) => settle(() => (inTime ? resolve(value) : discard(value))),
      (error) => settle(() => reject(error)),
    );
  });
}
