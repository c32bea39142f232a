import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkPercent, storedPercent } from "../../src/domain/percent.js";

describe("a percent", () => {
  test.each([
    [0, 0],
    [-0, 0],
    [50, 50],
    [99.9, 99.9],
    [100, 100],
    [-5, 0],
    [140, 100],
    [Number.MAX_VALUE, 100],
    [-Number.MIN_VALUE, 0],
  ])("of %d is taken as %d", (value, percent) => {
    expect(checkPercent(value)).toStrictEqual({ ok: true, percent });
  });

  test.each([
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "Infinity"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
    ["50", '"50"'],
    ["", '""'],
    [undefined, "undefined"],
    [null, "null"],
    [50n, "bigint"],
    [true, "boolean"],
    [{ valueOf: () => 50 }, "object"],
    [[50], "object"],
    [Symbol("50"), "symbol"],
    ["9".repeat(1_000_000), `"${"9".repeat(40)}"`],
  ])("of %s is refused, naming what was got", (value, got) => {
    const problem = `percent must be a finite number from 0 to 100, got ${got}`;
    expect(checkPercent(value)).toEqual({ ok: false, problem });
  });

  test("any number that is taken is clamped to 0–100, and left alone inside", () => {
    fc.assert(
      fc.property(fc.double(), (value) => {
        const checked = checkPercent(value);
        expect(checked.ok).toBe(Number.isFinite(value));
        if (!checked.ok) return;
        expect(checked.percent).toBeGreaterThanOrEqual(0);
        expect(checked.percent).toBeLessThanOrEqual(100);
        if (value > 0 && value < 100) expect(checked.percent).toBe(value);
      }),
    );
  });
});

describe("a stored percent", () => {
  test("a whole column floors: 99.9 is never 100", () => {
    expect([0.9, 33.3, 99.9, 99.999999, 100].map((percent) => storedPercent(percent, 0))).toEqual([0, 33, 99, 99, 100]);
  });

  test.each([
    [99.999, 2, 99.99],
    [33.336, 2, 33.33],
    [0.29, 2, 0.29],
    [1.005, 2, 1],
    [99.99999999, 4, 99.9999],
    [100, 12, 100],
    [99.9, null, 99.9],
    [100 / 3, null, 100 / 3],
  ])("of %d with %d decimal places is %d", (percent, decimals, stored) => {
    expect(storedPercent(percent, decimals)).toBe(stored);
  });

  test("is the greatest of its decimal places that is not above, and stays what it is when it is stored again", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.integer({ min: 0, max: 12 }),
        (percent, decimals) => {
          const stored = storedPercent(percent, decimals);
          expect(stored).toBeLessThanOrEqual(percent);
          expect(percent - stored).toBeLessThanOrEqual(10 ** -decimals);
          expect(Number(stored.toFixed(decimals))).toBe(stored);
          expect(storedPercent(stored, decimals)).toBe(stored);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
