import { expect, test } from "vitest";
import { runSoak } from "./run-soak.js";

test("a short soak with a fault every second or two breaks no promise", async () => {
  const outcome = await runSoak(
    {
      lastsMs: 10_000,
      atLeast: { events: 60, faults: 2 },
      seed: 20_240_120,
      processes: 3,
      jobs: 60,
      lifeMs: [2_000, 8_000],
      faultPauseMs: [300, 1_000],
      holdMs: 1_000,
      windowMs: 500,
      idleMs: 2_000,
      memoryEveryMs: 2_000,
    },
    () => {},
  );
  expect(outcome.violations).toEqual([]);
  expect(outcome.audit.events).toBeGreaterThan(60);
  expect(outcome.faults.length).toBeGreaterThan(1);
});
