import { createProgressReporter } from "worker-progress";
import { tell } from "../../guarantees/workers/worker-task.js";

/** What a worker on three URLs saw. */
export interface ReportsSecurelyMessage {
  readonly published: number;
  readonly warned: readonly string[];
}

const [databaseUrl, redisUrl, rabbitmqUrl] = JSON.parse(process.argv[2] as string);
const warned: string[] = [];
const log = { warn: (message: string) => void warned.push(message) };
const reporter = createProgressReporter(databaseUrl, redisUrl, rabbitmqUrl, { log, redis: { timeoutMs: 10_000 } });
await reporter.migrate();
const jobId = await reporter.createJob();
const job = await reporter.startJob(jobId);
await job.progress(50);
await job.complete();
await reporter.close();
const { published, unroutable } = (await reporter.health()).events;
await tell({ published: published + unroutable, warned } satisfies ReportsSecurelyMessage);
process.disconnect?.();
