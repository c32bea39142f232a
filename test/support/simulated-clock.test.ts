import { expect, test } from "vitest";
import { SimulatedClock } from "./simulated-clock.js";

test("timers fire in order of time, then in order of scheduling", async () => {
  const clock = new SimulatedClock();
  const fired: string[] = [];
  clock.schedule(20, () => fired.push("later"), false);
  clock.schedule(10, () => fired.push("first"), false);
  clock.schedule(10, () => fired.push("second"), false);
  await clock.advance(19);
  expect(fired).toEqual(["first", "second"]);
  await clock.advance(1);
  expect(fired).toEqual(["first", "second", "later"]);
});

test("a timer sees the time it was due at, and may schedule another within the same advance", async () => {
  const clock = new SimulatedClock();
  const seen: number[] = [];
  clock.schedule(10, () => clock.schedule(10, () => seen.push(clock.monotonic()), false), false);
  await clock.advance(100);
  expect(seen).toEqual([20]);
  expect(clock.monotonic()).toBe(100);
});

test("promises settle between two timers", async () => {
  const clock = new SimulatedClock();
  const order: string[] = [];
  clock.schedule(
    1,
    async () => {
      for (let i = 0; i < 50; i++) await null;
      order.push("promise of the first timer");
    },
    false,
  );
  clock.schedule(1, () => order.push("second timer"), false);
  await clock.advance(1);
  expect(order).toEqual(["promise of the first timer", "second timer"]);
});

test("a cancelled timer does not fire, and cancelling again is harmless", async () => {
  const clock = new SimulatedClock();
  const fired: string[] = [];
  const cancel = clock.schedule(1, () => fired.push("cancelled"), true);
  cancel();
  cancel();
  await clock.advance(10);
  expect(fired).toEqual([]);
});

test("the wall clock jumps without firing timers or moving the monotonic clock", async () => {
  const clock = new SimulatedClock(1_000);
  clock.schedule(5, () => {}, true);
  clock.jumpWall(-600);
  expect([clock.wall(), clock.monotonic()]).toEqual([400, 0]);
  await clock.advance(5);
  expect([clock.wall(), clock.monotonic()]).toEqual([405, 5]);
});

test("pending timers say whether they hold the process", () => {
  const clock = new SimulatedClock();
  clock.schedule(5, () => {}, false);
  expect(clock.holdsProcess()).toBe(false);
  clock.schedule(3, () => {}, true);
  expect(clock.holdsProcess()).toBe(true);
  expect(clock.pendingTimers()).toEqual([
    { at: 3, holdsProcess: true },
    { at: 5, holdsProcess: false },
  ]);
});
