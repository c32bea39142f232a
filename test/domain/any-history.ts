import fc from "fast-check";
import type { Change, Command } from "../../src/domain/command.js";
import { type Decision, decide, type Rules } from "../../src/domain/decide.js";
import type { JobSnapshot } from "../../src/domain/job-snapshot.js";
import { isTerminal, type JobStatus, jobStatuses } from "../../src/domain/job-status.js";
import { storedPercent } from "../../src/domain/percent.js";
import type { ProgressUpdate } from "../../src/domain/progress-update.js";
import { at, job, jobAfter, rules } from "./sample-job.js";

/** Percents around milestones and just below 100, and any other. */
const anyPercent = fc.oneof(
  fc.constantFrom(0, 0.4, 9.9, 10, 24.9, 25, 49, 50, 75, 99, 99.9, 99.999_999, 100),
  fc.double({ min: 0, max: 100, noNaN: true }),
);
const anyText = fc.constantFrom("", "slicing", "meshing", "a\0b", "x".repeat(3_000), "😀".repeat(1_500));
const anyLabel = fc.option(anyText, { nil: undefined });
const anyMetrics = fc.dictionary(fc.constantFrom("items", "rate", "nested"), fc.integer(), { maxKeys: 2 });
const anyAttempt = fc.integer({ min: 1, max: 5 });

export const anyUpdate: fc.Arbitrary<ProgressUpdate> = fc.record(
  { percent: anyPercent, step: anyText, message: anyText, metrics: anyMetrics },
  { requiredKeys: ["percent"] },
);

/** Mappings of either column type, which may lack spellings. */
export const anyRules: fc.Arbitrary<Rules> = fc.record({
  percentDecimals: fc.constantFrom(0, 2, null),
  statuses: fc.oneof(
    { weight: 3, arbitrary: fc.constant(rules.statuses) },
    {
      weight: 1,
      arbitrary: fc.subarray([...jobStatuses], { minLength: 1 }).map((some): ReadonlySet<JobStatus> => new Set(some)),
    },
  ),
  limits: fc.constant(rules.limits),
});

/** A job that a table of these rules can hold. */
export function anyJob({ percentDecimals, statuses }: Rules): fc.Arbitrary<JobSnapshot> {
  return fc
    .record({
      status: fc.constantFrom(...statuses),
      progress: fc.oneof(
        fc.constant(0),
        anyPercent.map((percent) => storedPercent(percent, percentDecimals)),
      ),
      attempt: fc.nat(3),
      progressAt: fc.constantFrom(null, at - 5_000),
      startedAt: fc.constantFrom(null, at - 60_000),
      cancelRequested: fc.boolean(),
    })
    .map((some) =>
      job(
        isTerminal(some.status)
          ? { ...some, finishedAt: at - 1_000, errorCode: "E1", output: { half: true } }
          : { ...some, finishedAt: null },
      ),
    );
}

const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("progress"), update: anyUpdate }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("start"),
      message: anyLabel,
      attempt: fc.option(anyAttempt, { nil: undefined }),
      resume: fc.boolean(),
      ifRunning: fc.constantFrom("takeOver", "reject"),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("status"),
      status: fc.constantFrom(...jobStatuses),
      percent: fc.option(anyPercent, { nil: undefined }),
      message: anyLabel,
      errorCode: anyLabel,
    }),
  },
);

/** Commands of workers that belong to no attempt, to this one, or to another. */
const anyCommand: fc.Arbitrary<Command> = fc.record({
  change: anyChange,
  fence: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: anyAttempt }),
  unwritten: fc.option(anyUpdate),
  at: fc.integer({ min: at, max: at + 1_000 }),
});

export interface History {
  readonly rules: Rules;
  readonly job: JobSnapshot;
  readonly commands: readonly Command[];
}

export const anyHistory: fc.Arbitrary<History> = anyRules.chain((some) =>
  fc.record({
    rules: fc.constant(some),
    job: anyJob(some),
    commands: fc.array(anyCommand, { minLength: 1, maxLength: 20 }),
  }),
);

/** One decision of a history. */
export interface Step {
  readonly previous: JobSnapshot;
  readonly command: Command;
  readonly decision: Decision;
  readonly next: JobSnapshot;
  readonly rules: Rules;
}

/** Runs a history as the engine does: what does not complete a command is followed by the rest of it. */
export function* steps(history: History): Generator<Step> {
  let previous = history.job;
  for (let command of history.commands) {
    for (;;) {
      const decision = decide(previous, command, history.rules);
      const next = jobAfter(previous, decision);
      yield { previous, command, decision, next, rules: history.rules };
      previous = next;
      if (decision.kind === "reject" || decision.completes) break;
      command = { ...command, unwritten: null };
    }
  }
}
