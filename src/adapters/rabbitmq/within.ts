/**
 * The outcome of `work`, or a rejection with `late()` after `timeoutMs`. What comes after that goes to `discard`: some
 * calls of amqplib never settle on a dead network, others settle when nobody waits any more.
 */
export function within<T>(
  work: Promise<T>,
  timeoutMs: number,
  late: () => Error,
  discard: (value: T) => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    let inTime = true;
    const timer = setTimeout(() => {
      inTime = false;
      reject(late());
    }, timeoutMs);
    work.then(
      (value) => {
        clearTimeout(timer);
        if (inTime) resolve(value);
        else discard(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
