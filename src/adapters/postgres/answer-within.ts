/**
 * Settles as `work` does, or rejects when that takes longer than `ms` milliseconds. Holds no process. An answer that arrived
 * while the process was busy counts: a timer that is late by a blocked loop fires before the sockets are read.
 */
export function answerWithin<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`no answer within ${ms} ms`));
    const timer = setTimeout(() => setImmediate(late), ms);
    timer.unref();
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
