import { startWorker, type WorkerOptions, type WorkerProcess } from "../support/child-process.js";
import type { StageAddress } from "./stage-address.js";

/** Starts a script of `workers/` in a process of its own on a stage. */
export function startWorkerOn<Message>(
  script: string,
  address: StageAddress,
  task: object = {},
  options: Omit<WorkerOptions, "args"> = {},
): Promise<WorkerProcess<Message>> {
  const file = new URL(`./workers/${script}.ts`, import.meta.url);
  return startWorker<Message>(file, { ...options, args: [JSON.stringify({ address, task })] });
}
