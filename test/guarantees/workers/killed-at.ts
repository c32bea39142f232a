import { connect } from "amqplib";
import { createProgressReporter, type PublisherAdapter, type StorageAdapter } from "worker-progress";
import { postgresStorage } from "worker-progress/postgres";
import { rabbitmqPublisher } from "worker-progress/rabbitmq";
import type { KillPoint } from "../kill-points.js";
import { optionsOn } from "../stage-address.js";
import { tell, workerTask } from "./worker-task.js";

/** Completes a job, and stops for good at one point of it, to be killed there. */
export interface KilledAtTask {
  readonly jobId: string;
  readonly point: KillPoint;
  readonly leaseMs: number;
}

export interface KilledAtMessage {
  readonly at?: KillPoint;
}

const { address, task } = workerTask<KilledAtTask>();
let armed = false;

async function pass(point: KillPoint): Promise<void> {
  if (point !== task.point) return;
  await tell({ at: point });
  await new Promise(() => {});
}

function around<Args extends readonly unknown[], Result>(
  step: "commit" | "publish" | "acknowledge",
  work: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  return async (...args) => {
    // An acknowledgement of what came before may have its answer only afterwards.
    if (!armed) return work(...args);
    await pass(`before the ${step}`);
    const result = await work(...args);
    await pass(`after the ${step}`);
    return result;
  };
}

const postgres = postgresStorage(address.databaseUrl);
const outbox = postgres.outbox as NonNullable<StorageAdapter["outbox"]>;
const storage: StorageAdapter = {
  ...postgres,
  commit: around("commit", postgres.commit),
  outbox: { ...outbox, acknowledge: around("acknowledge", outbox.acknowledge) },
};
const { rabbitmq } = optionsOn(address);
const rabbit = rabbitmqPublisher(() => connect(address.rabbitmqUrl as string), rabbitmq);
const publisher: PublisherAdapter = { ...rabbit, publish: around("publish", (events) => rabbit.publish(events)) };

const reporter = createProgressReporter(storage, null, publisher, {
  storageTimeoutMs: 60_000,
  relay: { leaseMs: task.leaseMs, pollMs: 60_000 },
});
process.on("message", () => {});
await reporter.startJob(task.jobId);
await reporter.forceProgress(task.jobId, 60);
while ((await reporter.health()).outbox?.waiting !== 0);
armed = true;
await reporter.completeJob(task.jobId, { output: "result.stl" });
