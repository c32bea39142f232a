import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextRate, secondsLeft } from "../../src/domain/rate.js";

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
});

describe("the time left", () => {
  test("is the way left at the rate, less the time since the last observation", () => {
    expect(secondsLeft(2, seconds(50, 10), 10_000)).toBe(25);
    expect(secondsLeft(2, seconds(50, 10), 15_000)).toBe(20);
  });

  test("is not guessed without a rate, or at a standstill", () => {
    expect(secondsLeft(null, seconds(50, 10), 10_000)).toBeNull();
    expect(secondsLeft(0, seconds(50, 10), 10_000)).toBeNull();
  });

  test("is not guessed for a job that should have finished long ago", () => {
    expect(secondsLeft(2, seconds(50, 10), 36_000)).toBeNull();
  });
});
