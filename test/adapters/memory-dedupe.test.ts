import { describe, expect, test } from "vitest";
import { memoryDedupe } from "../../src/adapters/memory/memory-dedupe.js";
import { dedupeConformance } from "../../src/conformance/index.js";
import { SimulatedClock } from "../support/simulated-clock.js";

describe("the memory dedupe", () => {
  dedupeConformance({
    test,
    factory: async () => {
      const dedupe = memoryDedupe();
      return { dedupe, peer: dedupe, dispose: () => dedupe.close() };
    },
    supports: { sharing: "memory belongs to one process" },
  });

  test("the oldest ids are forgotten first when there are too many", async () => {
    const dedupe = memoryDedupe({ maxIds: 2 });
    await dedupe.mark(["oldest", "older"], 60_000);
    await dedupe.mark(["newest"], 60_000);
    expect(await dedupe.mark(["older", "newest"], 60_000)).toEqual([false, false]);
    expect(await dedupe.mark(["oldest"], 60_000)).toEqual([true]);
  });

  test("an id that is marked again after its time counts as new among the remembered", async () => {
    const clock = new SimulatedClock();
    const dedupe = memoryDedupe({ clock, maxIds: 2 });
    await dedupe.mark(["first"], 1_000);
    await dedupe.mark(["second"], 60_000);
    await clock.advance(1_000);
    expect(await dedupe.mark(["first"], 60_000)).toEqual([true]);
    await dedupe.mark(["third"], 60_000);
    expect(await dedupe.mark(["first"], 60_000)).toEqual([false]);
  });

  test("a memory of no ids is refused", () => {
    expect(() => memoryDedupe({ maxIds: 0 })).toThrow(new RangeError("Option maxIds must be 1 or more"));
  });
});
