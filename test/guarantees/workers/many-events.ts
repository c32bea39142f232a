import { reporterOn } from "./reporter-on.js";
import { letGo, tell, waitForGo, workerTask } from "./worker-task.js";

/** Works through jobs that make eleven events each, and relays what is in the outbox, whoever put it there. */
export interface ManyEventsTask {
  readonly jobIds: readonly string[];
  readonly leaseMs: number;
}

export interface ManyEventsMessage {
  readonly ready?: true;
  /** How many events this process has relayed so far. */
  readonly published?: number;
}

const { address, task } = workerTask<ManyEventsTask>();
const { startJob, forceProgress, completeJob, health, close } = reporterOn(address, {
  relay: { leaseMs: task.leaseMs, pollMs: 100, batchSize: 20 },
});
await waitForGo();

await Promise.all(task.jobIds.map(work));
await close();
await tellPublished();
letGo();

async function work(jobId: string): Promise<void> {
  await startJob(jobId);
  for (let percent = 10; percent < 100; percent += 10) {
    await forceProgress(jobId, percent);
    await tellPublished();
  }
  await completeJob(jobId);
}

async function tellPublished(): Promise<void> {
  await tell({ published: (await health()).events.published });
}
