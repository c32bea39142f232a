import type { ProgressResult } from "worker-progress";
import type { Phase, Seen } from "./course-messages.js";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Counts and times what a worker sees, phase by phase. */
export class SeenLog {
  readonly phases: Record<Phase, Mutable<Seen>> = {
    healthy: nothingSeen(),
    fault: nothingSeen(),
    after: nothingSeen(),
  };
  phase: Phase = "healthy";

  /** What is counted now: everything counts where it ends. */
  get now(): Mutable<Seen> {
    return this.phases[this.phase];
  }

  /** Times the call itself, not what it answers later. */
  call(progress: () => Promise<ProgressResult>): Promise<ProgressResult> {
    const seen = this.now;
    const cpu = process.threadCpuUsage();
    const begin = performance.now();
    const result = progress();
    const longMs = performance.now() - begin;
    const { user, system } = process.threadCpuUsage(cpu);
    seen.calls++;
    seen.longestCallMs = Math.max(seen.longestCallMs, longMs);
    // The kernel counts processor time in ticks, hence may count more than has passed.
    seen.longestOwnMs = Math.max(seen.longestOwnMs, Math.min(longMs, (user + system) / 1_000));
    void result.then((answer) => {
      const seen = this.now;
      count(seen.outcomes, "error" in answer ? `${answer.outcome} ${answer.error.code}` : answer.outcome);
      if ("error" in answer) count(seen.causes, firstCause(answer.error));
    });
    return result;
  }

  async awaited(result: Promise<ProgressResult>): Promise<void> {
    const begin = performance.now();
    await result;
    const seen = this.now;
    seen.longestAwaitedMs = Math.max(seen.longestAwaitedMs, performance.now() - begin);
  }

  /** Answers the code that the change rejected with; null when it is stored. */
  async change(change: () => Promise<unknown>): Promise<string | null> {
    const begin = performance.now();
    const error = await change().then(
      () => null,
      (reason: Error & { code: string }) => reason,
    );
    const seen = this.now;
    seen.longestChangeMs = Math.max(seen.longestChangeMs, performance.now() - begin);
    count(seen.changes, error === null ? "stored" : `rejected ${error.code}`);
    if (error !== null) count(seen.causes, firstCause(error));
    return error?.code ?? null;
  }
}

function nothingSeen(): Mutable<Seen> {
  return {
    calls: 0,
    outcomes: {},
    changes: {},
    causes: {},
    longestCallMs: 0,
    longestOwnMs: 0,
    longestAwaitedMs: 0,
    longestChangeMs: 0,
  };
}

function count(counts: Readonly<Record<string, number>>, name: string): void {
  (counts as Record<string, number>)[name] = (counts[name] ?? 0) + 1;
}

function firstCause(error: unknown): string {
  let first = error as { readonly code?: string; readonly message: string; readonly cause?: unknown };
  while (first.cause instanceof Error) first = first.cause as typeof first;
  return first.code ?? first.message;
}
