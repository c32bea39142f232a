import type { StageAddress } from "../guarantees/stage-address.js";
import { startWorker, type WorkerProcess } from "../support/child-process.js";
import type { LoadMessage, LoadReport, LoadTask } from "./workers/load-messages.js";

/** A worker process under load. */
export interface Load extends WorkerProcess<LoadMessage> {
  /** What it sees from now on counts as seen under the fault. */
  fault(): void;
  /** Lets it report the last of every own job, and answers what it has seen. It lives on: nothing more is called. */
  stop(): Promise<LoadReport>;
  /** Lets it close its reporter and end by itself. */
  end(): Promise<number | null>;
  /** When its library warned of this first, in milliseconds since the epoch; waits for it. */
  warned(message: string): Promise<number>;
}

/** Starts a worker that goes on until it is stopped, and waits until it works. */
export async function startLoad(address: StageAddress, task: Partial<LoadTask>): Promise<Load> {
  const usual = { ownJobIds: [], sharedJobIds: [], epoch: Date.now(), clusters: {}, options: {}, attemptMs: 700 };
  const whole: LoadTask = { ...usual, ...task };
  const worker = await startWorker<LoadMessage>(new URL("./workers/load.ts", import.meta.url), {
    args: [JSON.stringify({ address, task: whole })],
  });
  await worker.message(({ ready }) => ready === true);
  return {
    ...worker,
    fault: () => worker.send("fault"),
    async stop() {
      worker.send("stop");
      return (await worker.message(({ report }) => report !== undefined)).report as LoadReport;
    },
    async end() {
      worker.send("end");
      return (await worker.exit).code;
    },
    async warned(message) {
      return (await worker.message(({ warned }) => warned?.message === message)).warned?.at as number;
    },
  };
}
