import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffMs } from "../../src/domain/backoff.js";

const policy = { firstMs: 100, maxMs: 5_000 };

describe("backoff", () => {
  test("the longest wait doubles from the first to the maximum", () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 100].map((failures) => backoffMs(failures, policy, 1));
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
  });

  test("the upper half is drawn at random, so that nobody waits nothing", () => {
    expect([0, 0.5, 1].map((random) => backoffMs(3, policy, random))).toEqual([200, 300, 400]);
  });

  test("no failure yet waits like the first", () => {
    expect(backoffMs(0, policy, 1)).toBe(100);
  });

  test("any number of failures waits at least half the first and at most the maximum, and never less than before", () => {
    const policies = fc
      .tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 0, max: 100_000 }))
      .map(([firstMs, more]) => ({ firstMs, maxMs: firstMs + more }));
    const random = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.nat(Number.MAX_SAFE_INTEGER), policies, random, (failures, each, drawn) => {
        const wait = backoffMs(failures, each, drawn);
        expect(wait).toBeGreaterThanOrEqual(each.firstMs / 2);
        expect(wait).toBeLessThanOrEqual(each.maxMs);
        expect(backoffMs(failures + 1, each, drawn)).toBeGreaterThanOrEqual(wait);
      }),
    );
  });
});
