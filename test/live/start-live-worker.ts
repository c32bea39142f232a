import type { StageAddress } from "../guarantees/stage-address.js";
import { startWorker, type WorkerProcess } from "../support/child-process.js";
import type { LiveMessage, LiveTask } from "./workers/live-worker.js";

/** Starts a worker in a process of its own, and waits until its job runs. */
export async function startLiveWorker(address: StageAddress, task: LiveTask): Promise<WorkerProcess<LiveMessage>> {
  const file = new URL("./workers/live-worker.ts", import.meta.url);
  const worker = await startWorker<LiveMessage>(file, { args: [JSON.stringify({ address, task })] });
  await worker.message(({ started }) => started === true);
  return worker;
}
