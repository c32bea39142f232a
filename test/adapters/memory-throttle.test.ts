import { describe, expect, test } from "vitest";
import { memoryThrottle } from "../../src/adapters/memory/memory-throttle.js";
import { throttleConformance } from "../../src/conformance/index.js";
import { SimulatedClock } from "../support/simulated-clock.js";

describe("the memory throttle", () => {
  throttleConformance({
    test,
    factory: async () => {
      const throttle = memoryThrottle();
      return { throttle, peer: throttle, dispose: () => throttle.close() };
    },
    supports: { sharing: "memory belongs to one process" },
  });

  test("windows follow the monotonic clock, whatever the wall clock does", async () => {
    const clock = new SimulatedClock();
    const throttle = memoryThrottle({ clock });
    await throttle.acquire(["job"], 2_000);
    clock.jumpWall(3_600_000);
    await clock.advance(1_500);
    expect(await throttle.acquire(["job"], 2_000)).toEqual([500]);
    await clock.advance(500);
    expect(await throttle.acquire(["job"], 2_000)).toEqual([0]);
  });
});
