import { faultsIn, keepJournal } from "./journal.js";
import { openStage } from "./stage.js";
import type { StageAddress } from "./stage-address.js";
import { startWorkerOn } from "./start-worker-on.js";
import type { StormMessage, StormTask } from "./workers/storm.js";

/** How a storm is made. */
export interface StormPlan {
  readonly processes: number;
  readonly jobs: number;
  readonly durationMs: number;
  readonly windowMs: number;
  readonly instead: Partial<StageAddress>;
}

/** Lets many processes report shuffled values on the same jobs, and reads the journal of what the database saw. */
export async function storm({ processes, jobs, instead, ...task }: StormPlan) {
  await using stage = await openStage({ rabbitmqUrl: null, ...instead });
  const jobIds = await stage.jobs(jobs);
  await keepJournal(stage.db);
  const workers = await Promise.all(
    Array.from({ length: processes }, () => {
      return startWorkerOn<StormMessage>("storm", stage.address, { jobIds, ...task } satisfies StormTask);
    }),
  );
  await Promise.all(workers.map((worker) => worker.message(({ ready }) => ready === true)));
  for (const worker of workers) worker.send("go");
  const exits = await Promise.all(workers.map((worker) => worker.exit));
  const answers: Record<string, number> = {};
  for (const { messages } of workers) {
    for (const [name, count] of Object.entries(messages.at(-1)?.answers ?? {}))
      answers[name] = (answers[name] ?? 0) + count;
  }
  const { rows } = await stage.db.query<{ changes: number; events: number; attempts: number }>(`
    select (select count(*) from job_journal)::int as changes, (select count(*) from event_journal)::int as events,
      (select sum(attempts) from worker_progress_jobs)::int as attempts`);
  const counts = rows[0] as (typeof rows)[0];
  return { exitCodes: exits.map(({ code }) => code), answers, ...counts, faults: await faultsIn(stage.db) };
}
