import { once } from "node:events";
import type { StageAddress } from "../stage-address.js";

/** What the test that started this process asks of it. */
export function workerTask<Task>(): { readonly address: StageAddress; readonly task: Task } {
  return JSON.parse(process.argv[2] as string);
}

/** Tells the test something, and resolves when it is on its way: what follows may be a SIGKILL. */
export function tell(message: object): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()));
}

/** Says "ready" and waits for the test's word, so that many processes begin together. */
export async function waitForGo(): Promise<void> {
  const go = once(process, "message");
  await tell({ ready: true });
  await go;
}

/** Lets the process end by itself when it has nothing to do. */
export function letGo(): void {
  process.disconnect?.();
}
