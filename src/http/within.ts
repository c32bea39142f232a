/** The outcome of `work`, or a rejection with `late` after `timeoutMs`. A later outcome of `work` is let go. */
export function within<T>(
  work: PromiseLike<T>,
  timeoutMs: number,
  late: (reason: string) => Error = (reason) => new Error(reason),
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late(`No answer within ${timeoutMs} ms`)), timeoutMs);
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
