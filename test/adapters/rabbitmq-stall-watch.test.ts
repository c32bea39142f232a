import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StallWatch } from "../../src/adapters/rabbitmq/stall-watch.js";

const timeoutMs = 1_000;

let stalls: number;
let watch: StallWatch;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  stalls = 0;
  watch = new StallWatch(timeoutMs, () => void stalls++);
});

afterEach(() => void vi.useRealTimers());

/** Lets time pass as for a process that is busy: nothing is read before its timers fire. */
const sleep = (ms: number) => vi.advanceTimersByTime(ms);
const read = () => setImmediate();

test("what is awaited and does not come stalls, in its time", async () => {
  watch.expect();
  sleep(timeoutMs - 1);
  await read();
  expect(stalls).toBe(0);
  sleep(1);
  await read();
  expect(stalls).toBe(1);
});

test("what came while the process was busy is not overdue, and what is still awaited has its whole time again", async () => {
  watch.expect();
  watch.expect();
  sleep(timeoutMs);
  watch.came();
  await read();
  sleep(timeoutMs - 1);
  await read();
  expect(stalls).toBe(0);
  sleep(1);
  await read();
  expect(stalls).toBe(1);
});

test.each([
  ["stopped", () => watch.stop()],
  ["paused", () => watch.pause(true)],
  ["over", () => watch.came()],
])("nothing is overdue that was %s while the process was busy", async (_, end) => {
  watch.expect();
  sleep(timeoutMs);
  end();
  await read();
  sleep(10 * timeoutMs);
  await read();
  expect(stalls).toBe(0);
});
