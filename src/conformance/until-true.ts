/** Asks until the answer is true; rejects after five seconds. */
export async function untilTrue(ask: () => Promise<boolean>): Promise<void> {
  const start = performance.now();
  while (!(await ask())) {
    if (performance.now() - start > 5_000) throw new Error("Still not true after five seconds");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
