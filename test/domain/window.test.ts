import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Windows } from "../../src/domain/window.js";

describe("windows", () => {
  test("a window is taken once, and again when it has passed", () => {
    const windows = new Windows();
    expect(windows.acquire("a", 1_000, 2_000)).toBe(0);
    expect(windows.acquire("a", 1_000, 2_000)).toBe(2_000);
    expect(windows.acquire("a", 2_999, 2_000)).toBe(1);
    expect(windows.acquire("a", 3_000, 2_000)).toBe(0);
    expect(windows.acquire("a", 3_000, 2_000)).toBe(2_000);
  });

  test("asking does not lengthen the window", () => {
    const windows = new Windows();
    windows.acquire("a", 0, 2_000);
    for (let now = 0; now < 2_000; now += 100) expect(windows.acquire("a", now, 2_000)).toBe(2_000 - now);
    expect(windows.acquire("a", 2_000, 2_000)).toBe(0);
  });

  test("each key has its own", () => {
    const windows = new Windows();
    expect(["a", "b", "__proto__", "constructor"].map((key) => windows.acquire(key, 0, 2_000))).toEqual([0, 0, 0, 0]);
    expect(windows.acquire("__proto__", 1, 2_000)).toBe(1_999);
  });

  test("whatever the order of asking, two acquisitions of a key are a window apart and a refusal names the rest", () => {
    const asks = fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(1_500)), { maxLength: 60 });
    fc.assert(
      fc.property(asks, (steps) => {
        const windows = new Windows();
        const taken = new Map<string, number>();
        let now = 0;
        for (const [key, pause] of steps) {
          now += pause;
          const free = (taken.get(key) ?? Number.NEGATIVE_INFINITY) + 2_000;
          expect(windows.acquire(key, now, 2_000)).toBe(Math.max(0, free - now));
          if (free <= now) taken.set(key, now);
        }
      }),
    );
  });

  test("passed windows are forgotten, so that memory follows the live keys", () => {
    const windows = new Windows();
    for (let key = 0; key < 100_000; key++) windows.acquire(`job ${key}`, key, 100);
    expect(windows.size).toBeLessThanOrEqual(1_024);
  });

  test("a window that still runs survives the forgetting", () => {
    const windows = new Windows();
    windows.acquire("long", 0, 1_000_000);
    for (let key = 0; key < 10_000; key++) windows.acquire(`job ${key}`, key, 1);
    expect(windows.acquire("long", 10_000, 1_000_000)).toBe(990_000);
  });
});
