import { describe, expect, test, vi } from "vitest";
import { Slot } from "../../src/engine/slot.js";
import { WindowTimer } from "../../src/engine/window-timer.js";
import type { Clock } from "../../src/ports/clock.js";
import { SimulatedClock } from "../support/simulated-clock.js";

function stage() {
  const clock = new SimulatedClock();
  const ended: [key: string, at: number][] = [];
  const timer = new WindowTimer(clock, (slots) => {
    for (const { key } of slots) ended.push([key, clock.monotonic()]);
  });
  return { clock, timer, ended };
}

describe("windows", () => {
  test("end at the first tick of 20 ms that is not before their time, those of one tick together", async () => {
    const { clock, timer, ended } = stage();
    timer.add(new Slot("late"), 45);
    timer.add(new Slot("first"), 1);
    timer.add(new Slot("with it"), 20);
    timer.add(new Slot("later"), 41);
    expect(clock.pendingTimers()).toHaveLength(1);
    await clock.advance(100);
    expect(ended).toEqual([
      ["first", 20],
      ["with it", 20],
      ["late", 60],
      ["later", 60],
    ]);
    expect(clock.pendingTimers()).toEqual([]);
  });

  test("end once", async () => {
    const { clock, timer, ended } = stage();
    timer.add(new Slot("a"), 20);
    await clock.advance(20);
    timer.add(new Slot("b"), 40);
    await clock.advance(100);
    expect(ended.map(([key]) => key)).toEqual(["a", "b"]);
  });

  test("that ended while the process slept end when it wakes", async () => {
    const { clock, timer, ended } = stage();
    await clock.advance(1_000);
    const schedule = vi.spyOn(clock, "schedule");
    timer.add(new Slot("a"), 100);
    expect(schedule.mock.calls[0]?.[0]).toBe(0);
    await clock.advance(0);
    expect(ended).toEqual([["a", 1_000]]);
  });

  test("end though their timer fires a fraction of a millisecond early", () => {
    let now = 0;
    let fire = () => {};
    const early: Clock = {
      wall: () => now,
      monotonic: () => now,
      schedule: (_, run) => {
        fire = run;
        return () => {};
      },
    };
    const ended: string[] = [];
    const timer = new WindowTimer(early, (slots) => void ended.push(...slots.map(({ key }) => key)));
    timer.add(new Slot("a"), 20);
    now = 19.4;
    fire();
    expect(ended).toEqual(["a"]);
  });
});

describe("the process", () => {
  test("is held by the windows while it is asked to, and asking again starts no other timer", () => {
    const { clock, timer } = stage();
    timer.add(new Slot("a"), 2_000);
    expect(clock.holdsProcess()).toBe(false);
    timer.hold(true);
    expect(clock.holdsProcess()).toBe(true);
    const schedule = vi.spyOn(clock, "schedule");
    timer.hold(true);
    expect(schedule).not.toHaveBeenCalled();
    timer.hold(false);
    expect(clock.holdsProcess()).toBe(false);
  });

  test("is not held by what was stopped, though something is unwritten", async () => {
    const { clock, timer, ended } = stage();
    timer.add(new Slot("a"), 2_000);
    timer.stop();
    timer.hold(true);
    expect(clock.pendingTimers()).toEqual([]);
    await clock.advance(3_000);
    expect(ended).toEqual([]);
  });
});
