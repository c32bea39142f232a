import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { ProgressResult, ReporterOptions } from "worker-progress";
import { reporterOn } from "./reporter-on.js";
import { tell, workerTask } from "./worker-task.js";

/** Times calls of `progress` that nobody awaits, in rounds, whenever the test asks. */
export interface CallTimesTask {
  readonly jobIds: readonly string[];
  /** A job that is not reported before, so that its window is free. */
  readonly freshJobId: string;
  readonly callsPerRound: number;
  readonly rounds: number;
  readonly options: ReporterOptions;
}

export interface CallTimesMessage {
  readonly ready?: true;
  /** The longest call of each round, in milliseconds. */
  readonly longestMs?: readonly number[];
  /** How many calls had which outcome, with the code of their error. */
  readonly outcomes?: Readonly<Record<string, number>>;
  /** The outcome of the first call on the fresh job that was more than kept. */
  readonly first?: string;
}

const { address, task } = workerTask<CallTimesTask>();
const { progress } = reporterOn(address, { ...task.options, log: { warn: () => {} } });

process.on("message", () => void measure().then(tell));
await Promise.all(task.jobIds.map((jobId) => progress(jobId, 0)));
await tell({ ready: true });

async function measure(): Promise<CallTimesMessage> {
  const first = await firstOutcome();
  const results: Promise<ProgressResult>[] = [];
  const longestMs: number[] = [];
  for (let round = 0; round < task.rounds; round++) {
    let longest = 0;
    for (let i = 0; i < task.callsPerRound; i++) {
      const jobId = task.jobIds[i % task.jobIds.length] as string;
      const begin = performance.now();
      const result = progress(jobId, 50, "working", "On the way", { round });
      longest = Math.max(longest, performance.now() - begin);
      results.push(result);
      if (i % 100 === 99) await nextTurn();
    }
    longestMs.push(longest);
  }
  const outcomes: Record<string, number> = {};
  for (const result of await Promise.all(results)) {
    const name = nameOf(result);
    outcomes[name] = (outcomes[name] ?? 0) + 1;
  }
  return { longestMs, outcomes, first };
}

/** A write that begins late is waited for no longer than one that takes long: its report is answered "coalesced". */
async function firstOutcome(): Promise<string> {
  for (;;) {
    const outcome = nameOf(await progress(task.freshJobId, 50));
    if (outcome !== "coalesced") return outcome;
    await sleep(1);
  }
}

function nameOf(result: ProgressResult): string {
  return "error" in result ? `${result.outcome} ${result.error.code}` : result.outcome;
}
