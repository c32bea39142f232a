import { connect } from "amqplib";
import { Redis } from "ioredis";
import pg from "pg";
import { createProgressReporter, type ProgressReporter } from "worker-progress";
import { optionsOn } from "../stage-address.js";
import { reporterOn } from "./reporter-on.js";
import { workerTask } from "./worker-task.js";

/** A script that reports in a loop and simply ends. */
export interface EndsByItselfTask {
  readonly jobId: string;
  readonly last: number;
  /** What the script does at its end: nothing, `close()`, or `close()` and then closing clients of its own. */
  readonly end: "silent" | "closes" | "closes its clients";
}

const { address, task } = workerTask<EndsByItselfTask>();
const options = { windowMs: 1_000 };

if (task.end === "silent") await report(reporterOn(address, options));
if (task.end === "closes") {
  const reporter = reporterOn(address, options);
  await report(reporter);
  await reporter.close();
}
if (task.end === "closes its clients") {
  const pool = new pg.Pool({ connectionString: address.databaseUrl });
  const redis = new Redis(address.redisUrl as string);
  const amqp = await connect(address.rabbitmqUrl as string);
  const reporter = createProgressReporter(pool, redis, amqp, optionsOn(address, options));
  await report(reporter);
  await reporter.close();
  await Promise.all([pool.end(), redis.quit(), amqp.close()]);
}

async function report(reporter: ProgressReporter): Promise<void> {
  await reporter.progress(task.jobId, 1);
  for (let percent = 2; percent <= task.last; percent++) void reporter.progress(task.jobId, percent);
}
