import type { JobHandle, ReporterOptions } from "worker-progress";
import { reporterOn } from "./reporter-on.js";
import { letGo, tell, workerTask } from "./worker-task.js";

/** A worker whose reporter the test pulls the strings of, one call at a time. */
export interface PuppetTask {
  readonly options?: ReporterOptions;
}

/** An error as it travels between processes: the structured clone of an error loses its code. */
export interface PlainError {
  readonly code: string;
  readonly message: string;
}

/** What a worker says of its own accord, or answers. */
export interface PuppetMessage {
  readonly ready?: true;
  /** A warning of the library. */
  readonly warned?: string;
  /** Why the signal of the job's handle has fired. */
  readonly aborted?: PlainError;
  readonly id?: number;
  readonly value?: unknown;
  readonly error?: PlainError;
}

type Command = (...args: never[]) => unknown;

const { address, task } = workerTask<PuppetTask>();
const reporter = reporterOn(address, { ...task.options, log: { warn: (warned) => void tell({ warned }) } });
let job: JobHandle | null = null;

const commands: Record<string, Command> = {
  ...reporter,
  async startJob(jobId: string, options: object) {
    job = await reporter.startJob(jobId, undefined, options);
    const { signal } = job;
    signal.addEventListener("abort", () => void tell({ aborted: plain(signal.reason) }));
    return job.attempt;
  },
  job(method: "progress" | "forceProgress" | "complete" | "fail" | "cancel", ...args: never[]) {
    if (job === null) throw new Error("startJob comes first");
    return (job[method] as Command)(...args);
  },
  /** Reports by the handle and freezes in the same turn of the event loop: none of it gets out before the process is woken. */
  reportAndFreeze(percent: number) {
    void job?.progress(percent);
    process.kill(process.pid, "SIGSTOP");
  },
  climb(jobId: string, from: number, to: number) {
    for (let percent = from; percent <= to; percent++) void reporter.progress(jobId, percent, `step ${percent}`);
  },
  /** Reports once on each of so many jobs and counts the answers. */
  async spread(jobs: number) {
    const counts: Record<string, number> = {};
    for (let id = 1; id <= jobs; id++) {
      const result = await reporter.progress(id, 5);
      const name = "error" in result ? `${result.outcome} ${result.error.code}` : result.outcome;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  },
  /** Blocks the event loop by work that never yields. */
  block(forMs: number) {
    const until = performance.now() + forMs;
    while (performance.now() < until) Math.random();
  },
  /** Moves the wall clock of this process, forwards or back. */
  jumpClock(ms: number) {
    const { now } = Date;
    Date.now = () => now() + ms;
  },
  letGo,
};

process.on("message", ({ id, name, args }: { id: number; name: string; args: never[] }) => {
  void answer(commands[name] as Command, args).then((answered) => tell({ id, ...answered }));
});
await tell({ ready: true });

async function answer(command: Command, args: never[]): Promise<PuppetMessage> {
  try {
    const value = await command(...args);
    return { value: isRefusal(value) ? { ...value, error: plain(value.error) } : value };
  } catch (error) {
    return { error: plain(error) };
  }
}

function isRefusal(value: unknown): value is { readonly error: unknown } {
  return typeof value === "object" && value !== null && "error" in value;
}

function plain(error: unknown): PlainError {
  const { code, message } = error as PlainError;
  return { code, message };
}
