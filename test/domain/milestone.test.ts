import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isNotable } from "../../src/domain/milestone.js";

describe("a stored change of progress is an event", () => {
  test.each([
    [24, 25, true],
    [24.9, 25.1, true],
    [25, 26, false],
    [49, 50, true],
    [74, 75, true],
    [99, 100, true],
    [99, 99.9, false],
    [100, 100, false],
    [1, 10.9, false],
    [0, 1, false],
    [0, 0, false],
  ])("from %d to %d when a milestone is crossed: %j", (previous, now, notable) => {
    expect(isNotable(previous, now, false)).toBe(notable);
  });

  test.each([
    [0, 9, false],
    [0, 10, true],
    [1, 11, true],
    [52, 61, false],
    [52, 62, true],
    [52.5, 62.4, false],
  ])("from %d to %d when it is 10 points or more: %j", (previous, now, notable) => {
    expect(isNotable(previous, now, false)).toBe(notable);
  });

  test("ten points of a decimal column are ten, however floating point subtracts them", () => {
    expect(16.4 - 6.4).toBeLessThan(10);
    expect(isNotable(6.4, 16.4, false)).toBe(true);
  });

  test("0 counts when progress is first written, and only then", () => {
    expect(isNotable(0, 0, true)).toBe(true);
    expect(isNotable(0, 7, true)).toBe(true);
    expect(isNotable(0, 0, false)).toBe(false);
  });

  test("milestones behind what is stored do not count again where the table keeps no time of progress", () => {
    expect(isNotable(60, 61, true)).toBe(false);
    expect(isNotable(60, 60, true)).toBe(false);
    expect(isNotable(74, 75, true)).toBe(true);
  });

  test("the rule holds for every step of any way from 0 to 100", () => {
    const way = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 30 });
    fc.assert(
      fc.property(way, (points) => {
        const stops = [0, ...points.sort((a, b) => a - b), 100];
        const pairs = stops.slice(1).map((now, index) => [stops[index] ?? 0, now] as const);
        for (const [previous, now] of pairs) {
          const crossed = [25, 50, 75, 100].filter((milestone) => previous < milestone && milestone <= now);
          expect(isNotable(previous, now, false)).toBe(crossed.length > 0 || now - previous >= 10);
        }
      }),
    );
  });
});
