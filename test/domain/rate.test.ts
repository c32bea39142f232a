import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../src/domain/decide.js";
import type { JobSnapshot } from "../../src/domain/job-snapshot.js";
import { jobView } from "../../src/domain/job-view.js";
import { nextRate, secondsLeft } from "../../src/domain/rate.js";
import { at, command, job, jobAfter, progress, rules, start, toStatus } from "./sample-job.js";

const seconds = (percent: number, at: number) => ({ percent, at: at * 1_000 });

describe("the rate", () => {
  test("is unknown until something moved between two instants", () => {
    expect(nextRate(null, seconds(10, 5), seconds(10, 9))).toBeNull();
    expect(nextRate(null, seconds(10, 5), seconds(20, 5))).toBeNull();
    expect(nextRate(null, seconds(10, 5), seconds(20, 10))).toBe(2);
  });

  test("follows a steady pace exactly", () => {
    let rate: number | null = null;
    for (let at = 0; at < 100; at += 2) rate = nextRate(rate, seconds(at / 2, at), seconds(at / 2 + 1, at + 2));
    expect(rate).toBeCloseTo(0.5, 10);
  });

  test("forgets: after 30 s a change of pace counts for 1 - 1/e", () => {
    expect(nextRate(1, seconds(10, 0), seconds(10, 30))).toBeCloseTo(1 / Math.E, 10);
  });

  test("does not depend on how often a steady pace is observed", () => {
    const often = nextRate(nextRate(4, seconds(0, 0), seconds(10, 10)), seconds(10, 10), seconds(20, 20));
    expect(often).toBeCloseTo(nextRate(4, seconds(0, 0), seconds(20, 20)) ?? 0, 10);
  });

  test("stays between what it was and the latest pace", () => {
    const positive = fc.double({ min: 0.001, max: 100, noNaN: true });
    fc.assert(
      fc.property(positive, positive, positive, (rate, points, after) => {
        const latest = points / after;
        const next = nextRate(rate, seconds(0, 0), seconds(points, after)) ?? Number.NaN;
        const slack = 1e-9 * Math.max(rate, latest);
        expect(next).toBeGreaterThanOrEqual(Math.min(rate, latest) - slack);
        expect(next).toBeLessThanOrEqual(Math.max(rate, latest) + slack);
      }),
    );
  });

  test("a clock that went back changes nothing", () => {
    expect(nextRate(2, seconds(10, 5), seconds(20, 4))).toBe(2);
  });

  test("remembers five points where they take longer than 30 s", () => {
    expect(nextRate(0.05, seconds(10, 0), seconds(10, 100))).toBeCloseTo(0.05 / Math.E, 10);
  });

  test("of a job whose whole percent moves once in minutes is what the job does, however often it is written", () => {
    const tenHours = 36_000;
    let rate: number | null = 100 / tenHours;
    for (let now = 2; now <= tenHours; now += 2) {
      rate = nextRate(
        rate,
        seconds(wholePercent(now - 2, tenHours), now - 2),
        seconds(wholePercent(now, tenHours), now),
      );
      expect(rate).toBeGreaterThan((0.7 * 100) / tenHours);
      expect(rate).toBeLessThan((1.3 * 100) / tenHours);
    }
  });

  test("is unknown again once nothing has moved for so long that no column could tell it from 0", () => {
    expect(nextRate(0.5, seconds(10, 0), seconds(10, 3_000))).toBeNull();
    expect(nextRate(1e-300, seconds(10, 0), seconds(20, 5))).toBe(2);
    expect(nextRate(null, seconds(10, 0), seconds(10.001, 10_000))).toBeNull();
  });
});

describe("the time left", () => {
  test("is the way left at the rate, less the time since the last observation", () => {
    expect(secondsLeft(2, seconds(50, 10), 10_000)).toBe(25);
    expect(secondsLeft(2, seconds(50, 10), 15_000)).toBe(20);
  });

  test("is not guessed without a rate, or at a standstill", () => {
    expect(secondsLeft(null, seconds(50, 10), 10_000)).toBeNull();
    expect(secondsLeft(0, seconds(50, 10), 10_000)).toBeNull();
    expect(secondsLeft(-1, seconds(50, 10), 10_000)).toBeNull();
    expect(secondsLeft(1e-320, seconds(50, 10), 10_000)).toBeNull();
  });

  test("is not guessed for a job that should have finished long ago", () => {
    expect(secondsLeft(2, seconds(50, 10), 36_000)).toBeNull();
  });

  test("does not grow where the clock of the reader is behind", () => {
    expect(secondsLeft(2, seconds(50, 10), 0)).toBe(25);
  });

  test("is not guessed from a percent that is none", () => {
    expect(secondsLeft(2, seconds(Number.NaN, 10), 10_000)).toBeNull();
    expect(secondsLeft(2, seconds(101, 10), 10_000)).toBeNull();
  });
});

describe("the rate of a job", () => {
  /** The job as it reports once more. */
  const reported = (before: JobSnapshot, percent: number, after: number) =>
    jobAfter(before, decide(before, command(progress(percent), { at: at + after * 1_000 }), rules));
  const running = job({ rate: 2, progressAt: at });
  const hour = 3_600;

  test.each([
    ["by a new attempt", { resume: true }],
    ["by the same one", { attempt: 2 }],
  ])("that is resumed %s is unknown until it moves again, whatever the pause was", (_, how) => {
    const resumed = jobAfter(running, decide(running, command(start(how), { at: at + hour * 1_000 }), rules));
    const first = reported(resumed, 31, hour + 2);
    const second = reported(first, 35, hour + 4);
    expect([resumed, first, second].map((each) => jobView(each, "bigint", at + hour * 1_000).rate)).toEqual([
      undefined,
      undefined,
      2,
    ]);
  });

  test("that waits before it is tried again is unknown until it moves again", () => {
    const waiting = job({ status: "retrying", rate: 2, progressAt: at });
    const again = jobAfter(waiting, decide(waiting, command(toStatus("running"), { at: at + hour * 1_000 }), rules));
    expect([again.rate, reported(reported(again, 31, hour + 2), 35, hour + 4).rate]).toEqual([0, 2]);
  });

  test("that is resumed at 0 % is unknown until it moves again, however often it was written there", () => {
    const begun = job({ attempt: 1, progress: 0, startedAt: at, progressAt: at });
    const resumed = jobAfter(begun, decide(begun, command(start({ attempt: 1 }), { at: at + hour * 1_000 }), rules));
    const first = reported(reported(reported(resumed, 0, hour + 2), 0, hour + 4), 4, hour + 6);
    expect([first.rate, reported(first, 8, hour + 8).rate]).toEqual([null, 2]);
  });

  test("that waits in the queue at 0 % is unknown until it moves again", () => {
    const queued = job({ status: "queued", attempt: 0, progress: 0, startedAt: null, progressAt: at });
    const first = reported(queued, 4, hour);
    expect([first.rate, reported(first, 8, hour + 2).rate]).toEqual([null, 2]);
  });

  test("counts what a change of status within the run takes along", () => {
    const moved = decide(running, command(toStatus("running", { percent: 40 }), { at: at + 5_000 }), rules);
    expect(jobAfter(running, moved)).toMatchObject({ rate: 2, progress: 40 });
    expect(decide(running, command(toStatus("running")), rules)).not.toHaveProperty("set.rate");
    const ended = decide(running, command(toStatus("failed", { percent: 40 })), rules);
    expect(ended).not.toHaveProperty("set.rate");
  });

  test("that is in its first attempt counts from its start, however often it was written at 0 %", () => {
    const begun = job({ attempt: 1, progress: 0, startedAt: at, progressAt: at });
    const moved = reported(reported(reported(begun, 0, 2), 0, 98), 1, 100);
    expect(moved.rate).toBeCloseTo(0.01, 10);
  });

  test("that began before in an earlier attempt, or has moved already, does not count from then", () => {
    expect(reported(job({ attempt: 2, progress: 0, progressAt: at }), 4, 2).rate).toBe(2);
    expect(reported(job({ attempt: 1, progress: 30, progressAt: at }), 34, 2).rate).toBe(2);
  });

  test("begins anew with each attempt", () => {
    expect(jobAfter(running, decide(running, command(start()), rules)).rate).toBeNull();
  });
});

function wholePercent(now: number, total: number): number {
  return Math.floor((now / total) * 100);
}
