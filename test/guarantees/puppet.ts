import type { WorkerOptions, WorkerProcess } from "../support/child-process.js";
import type { StageAddress } from "./stage-address.js";
import { startWorkerOn } from "./start-worker-on.js";
import type { PlainError, PuppetMessage, PuppetTask } from "./workers/puppet.js";

/** A worker process whose reporter the test calls. */
export interface Puppet extends WorkerProcess<PuppetMessage> {
  /** Calls a method of its reporter and answers what that resolved with; rejects with a {@link PlainError}. */
  call(name: string, ...args: readonly unknown[]): Promise<unknown>;
  /** Calls a method of the handle that its last `startJob` answered. */
  job(method: string, ...args: readonly unknown[]): Promise<unknown>;
  /** What its library warned of, oldest first. */
  warnings(): string[];
  /** Why the signal of its handle has fired, once it has. */
  aborted(): Promise<PlainError>;
}

/** Starts a worker process with a reporter on the stage. */
export async function startPuppet(
  address: StageAddress,
  options: PuppetTask["options"] = {},
  workerOptions: WorkerOptions = {},
): Promise<Puppet> {
  const worker = await startWorkerOn<PuppetMessage>("puppet", address, { options }, workerOptions);
  await worker.message((message) => message.ready === true);
  let calls = 0;
  const call = async (name: string, ...args: readonly unknown[]) => {
    const id = calls++;
    worker.send({ id, name, args });
    const answer = await worker.message((message) => message.id === id);
    if (answer.error !== undefined) throw answer.error;
    return answer.value;
  };
  return {
    ...worker,
    call,
    job: (method, ...args) => call("job", method, ...args),
    warnings: () => worker.messages.flatMap(({ warned }) => warned ?? []),
    aborted: async () => (await worker.message(({ aborted }) => aborted !== undefined)).aborted as PlainError,
  };
}
