import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Change, Command } from "../../src/domain/command.js";
import { decide } from "../../src/domain/decide.js";
import { errorCodes } from "../../src/domain/errors.js";
import { canTransition, isTerminal } from "../../src/domain/job-status.js";
import { anyHistory, type Step, steps } from "./any-history.js";

/** Checks every decision that the filter picks, and that it picked some. */
function always(picks: (step: Step) => boolean, check: (step: Step) => void, numRuns = 400): void {
  let checked = 0;
  fc.assert(
    fc.property(anyHistory, (history) => {
      for (const step of steps(history)) {
        if (!picks(step)) continue;
        checked++;
        check(step);
      }
    }),
    { numRuns },
  );
  expect(checked).toBeGreaterThan(0);
}

const any = () => true;
const isWrite = ({ decision }: Step) => decision.kind === "write";
const isReject = ({ decision }: Step) => decision.kind === "reject";
const changesStatus = ({ previous, next }: Step) => previous.status !== next.status;
const beginsAttempt = ({ previous, next }: Step) => next.attempt !== previous.attempt;

describe("in any history of commands", () => {
  test("progress of an attempt never decreases", () => {
    always(
      (step) => !beginsAttempt(step),
      ({ previous, next }) => expect(next.progress).toBeGreaterThanOrEqual(previous.progress),
    );
  });

  test("progress stays 0–100", () => {
    always(isWrite, ({ next }) => expect(next.progress >= 0 && next.progress <= 100).toBe(true));
  });

  test("a whole percent stays whole", () => {
    always(
      (step) => isWrite(step) && step.rules.percentDecimals === 0,
      ({ next }) => expect(Number.isInteger(next.progress)).toBe(true),
    );
  });

  test("100 is stored only of what was reported as 100, or of completion", () => {
    always(
      ({ previous, next }) => next.progress === 100 && previous.progress < 100,
      ({ command, next }) => expect(next.status === "completed" || Math.max(...reported(command)) === 100).toBe(true),
    );
  });

  test("an attempt never decreases, and only a start changes it", () => {
    always(any, ({ previous, next, command }) => {
      expect(next.attempt).toBeGreaterThanOrEqual(previous.attempt);
      if (command.change.kind !== "start") expect(next.attempt).toBe(previous.attempt);
    });
  });

  test("a worker of another attempt changes nothing", () => {
    always(
      ({ previous, command }) =>
        command.change.kind !== "start" && command.fence !== null && command.fence !== previous.attempt,
      ({ decision }) => expect(decision).toMatchObject({ kind: "reject", code: "STALE_ATTEMPT" }),
    );
  });

  test("every change of status is a legal transition or a start", () => {
    always(changesStatus, ({ previous, next, command }) => {
      if (command.change.kind === "start") expect(next.status).toBe("running");
      else expect(canTransition(previous.status, next.status)).toBe(true);
    });
  });

  test("a terminal status is left only by a new attempt or by re-queueing", () => {
    always(
      (step) => isWrite(step) && isTerminal(step.previous.status),
      (step) => {
        if (step.command.change.kind === "start") expect(step.next.attempt).toBeGreaterThan(step.previous.attempt);
        else expect(["pending", "queued"]).toContain(step.next.status);
      },
    );
  });

  test("completed is reached only by asking for it", () => {
    always(
      (step) => changesStatus(step) && step.next.status === "completed",
      ({ command, next }) => {
        expect(command.change).toMatchObject({ kind: "status", status: "completed" });
        expect(next.progress).toBe(100);
      },
    );
  });

  test("only statuses that the mapping spells are written", () => {
    always(isWrite, ({ next, rules }) => expect(rules.statuses.has(next.status)).toBe(true));
  });

  test("there is an event exactly when the status changed, an attempt began, a milestone was crossed or 10 points were made", () => {
    always(isWrite, (step) => {
      expect(step.decision).toMatchObject({ emits: changesStatus(step) || beginsAttempt(step) || isNotableStep(step) });
    });
  });

  test("started_at is set at the first running and never again", () => {
    always(isWrite, ({ previous, next, command }) => {
      if (previous.startedAt !== null) expect(next.startedAt).toBe(previous.startedAt);
      else expect(next.startedAt).toBe(next.status === "running" ? command.at : null);
    });
  });

  test("finished_at is set exactly while the status is terminal", () => {
    always(isWrite, ({ previous, next, command }) => {
      expect(next.finishedAt).toBe(isTerminal(next.status) ? command.at : null);
      if (isTerminal(previous.status)) expect(next).toMatchObject({ errorCode: given(command), output: null });
    });
  });

  test("every write says when, and only writes of progress move its time", () => {
    always(isWrite, ({ previous, next, command }) => {
      expect(next.updatedAt).toBe(command.at);
      expect([previous.progressAt, command.at]).toContain(next.progressAt);
      if (next.progress !== previous.progress) expect(next.progressAt).toBe(command.at);
    });
  });

  test("stored text is well-formed, without NUL and within its limit", () => {
    always(isWrite, ({ next, rules: { limits } }) => {
      for (const [text, limit] of [
        [next.step, limits.labelLength],
        [next.message, limits.messageLength],
        [next.errorCode, limits.labelLength],
      ] as const) {
        expect((text ?? "").length).toBeLessThanOrEqual(limit);
        expect((text ?? "").isWellFormed() && !text?.includes("\0")).toBe(true);
      }
    });
  });

  test("a reject has a known code, a sentence, and nothing to store", () => {
    always(isReject, ({ decision }) => {
      expect(decision).toEqual({
        kind: "reject",
        code: expect.any(String),
        reason: expect.stringMatching(/^\S.*[^.]$/),
      });
      expect(errorCodes).toContain(decision.kind === "reject" && decision.code);
    });
  });

  test("progress that is no decrease, by a worker of the attempt, on a job that is not over, is never refused", () => {
    always(
      ({ previous, command: { change, fence }, rules }) =>
        change.kind === "progress" &&
        !isTerminal(previous.status) &&
        (fence === null || fence === previous.attempt) &&
        Math.floor(change.update.percent) >= previous.progress &&
        rules.statuses.has("running"),
      ({ decision }) => expect(decision).toMatchObject({ kind: "write", completes: true }),
    );
  });

  test("a write that does not complete its command is the unwritten progress, and the rest is then legal", () => {
    always(
      ({ decision }) => decision.kind === "write" && !decision.completes,
      ({ decision, previous, command, next, rules }) => {
        const { change, unwritten } = command;
        if (change.kind !== "status" || unwritten === null) throw new Error("It had nothing to write first");
        const progressOnly = decide(previous, { ...command, change: { kind: "progress", update: unwritten } }, rules);
        expect(decision).toEqual({ ...progressOnly, completes: false });
        expect(decide(next, { ...command, unwritten: null }, rules)).toMatchObject({ kind: "write", completes: true });
      },
      1_000,
    );
  });

  test("the same input gives the same decision, and no input is changed", () => {
    always(any, ({ previous, command, decision, rules }) => {
      expect(decide(deepFrozen(structuredClone(previous)), deepFrozen(structuredClone(command)), rules)).toEqual(
        decision,
      );
    });
  });
});

function reported({ change, unwritten }: Command): readonly number[] {
  const own = change.kind === "progress" ? change.update.percent : change.kind === "status" ? change.percent : 0;
  return [own ?? 0, unwritten?.percent ?? 0];
}

function given({ change }: Command): unknown {
  const code = (change as Extract<Change, { kind: "status" }>).errorCode;
  return code === undefined ? null : expect.any(String);
}

/** The rule of events, written down a second time. */
function isNotableStep({ previous, next, decision }: Step): boolean {
  const [from, to] = [previous.progress, next.progress];
  const firstZero =
    from === 0 && previous.progressAt === null && decision.kind === "write" && decision.set.progressAt !== undefined;
  return firstZero || [25, 50, 75, 100].some((point) => from < point && point <= to) || to - from > 10 - 1e-9;
}

function deepFrozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) deepFrozen(inner);
  return Object.freeze(value);
}
