import { expect, test } from "vitest";
import { memoryTrend } from "./memory-trend.js";

const sampled = (heaps: readonly number[]) => heaps.map((heap, i) => ({ at: i * 60_000, heap, resident: heap * 2 }));

test("the slope is bytes a minute, of what comes after the first third", () => {
  const trend = memoryTrend(sampled([900, 500, 100, 101, 102, 103, 104, 105, 106]));
  expect(trend).toMatchObject({ samples: 6, mean: 103.5, firstResident: 202, lastResident: 212 });
  expect(trend?.perMinute).toBeCloseTo(1);
});

test("a process that died young has no trend", () => {
  expect(memoryTrend(sampled([1, 2, 3]))).toBeNull();
});
