import { setImmediate as nextTurn } from "node:timers/promises";
import { reporterOn } from "./reporter-on.js";
import { letGo, tell, waitForGo, workerTask } from "./worker-task.js";

/** Reports shuffled values on jobs that many others report too, and starts, fails and completes them now and then. */
export interface StormTask {
  readonly jobIds: readonly string[];
  readonly durationMs: number;
  readonly windowMs: number;
}

/** What the storm was answered. */
export interface StormMessage {
  readonly ready?: true;
  readonly calls?: number;
  readonly answers?: Readonly<Record<string, number>>;
}

const { address, task } = workerTask<StormTask>();
const { progress, forceProgress, startJob, completeJob, failJob, close } = reporterOn(address, {
  windowMs: task.windowMs,
  log: { warn: () => {} },
});
const answers: Record<string, number> = {};
const open = new Set<Promise<unknown>>();
await waitForGo();

let calls = 0;
for (const end = performance.now() + task.durationMs; performance.now() < end; ) {
  for (let i = 0; i < 20; i++) note(anyCall());
  calls += 20;
  await (open.size > 200 ? Promise.race(open) : nextTurn());
}
await Promise.all(open);
await close();
await tell({ calls, answers });
letGo();

function anyCall(): Promise<{ readonly outcome: string; readonly error?: unknown } | { readonly outcome: "changed" }> {
  const jobId = task.jobIds[Math.floor(Math.random() * task.jobIds.length)] as string;
  const percent = Math.floor(Math.random() * 101);
  const dice = Math.random();
  if (dice < 0.85) return progress(jobId, percent, `at ${percent}`);
  if (dice < 0.95) return forceProgress(jobId, percent, `at ${percent}`);
  const change = dice < 0.98 ? startJob(jobId) : dice < 0.99 ? completeJob(jobId) : failJob(jobId, "E_STORM", "Storm");
  return change.then(
    () => ({ outcome: "changed" }),
    (error) => ({ outcome: "refused", error }),
  );
}

function note(call: ReturnType<typeof anyCall>): void {
  const noted = call.then((answer) => {
    const code = "error" in answer ? ` ${(answer.error as { code: string }).code}` : "";
    const name = answer.outcome + code;
    answers[name] = (answers[name] ?? 0) + 1;
    open.delete(noted);
  });
  open.add(noted);
}
