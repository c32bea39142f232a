import assert from "node:assert/strict";
import type { ThrottleAdapter } from "../ports/throttle.js";
import type { ThrottleUnderTest } from "./throttle-conformance.js";
import { untilTrue } from "./until-true.js";

interface ThrottleCase {
  readonly name: string;
  readonly body: (subject: ThrottleUnderTest) => Promise<void>;
}

const longMs = 60_000;
const shortMs = 60;
// A window may begin and end anywhere within the millisecond of the clock that measures it.
const roundingMs = 2;

/** What every throttle promises. */
export const throttleCases: readonly ThrottleCase[] = [
  {
    name: "a free key is acquired, then taken for no longer than its window",
    body: async ({ throttle }) => {
      assert.deepEqual(await throttle.acquire(["job"], longMs), [0]);
      assertWait(await waitOf(throttle, "job", longMs), longMs);
    },
  },
  {
    name: "keys are independent of each other, whatever they are made of",
    body: async ({ throttle }) => {
      const keys = ["job", "job:1", "{job}", "{}", "a{b}c", "}{", " ", "ключ", "__proto__", "*", "x".repeat(500)];
      for (const key of keys) assert.equal(await waitOf(throttle, key, longMs), 0, key);
      for (const key of keys) assertWait(await waitOf(throttle, key, longMs), longMs);
    },
  },
  {
    name: "answers come in the order of the keys",
    body: async ({ throttle }) => {
      await throttle.acquire(["b", "d"], longMs);
      const waits = await throttle.acquire(["d", "a", "b", "c"], longMs);
      assert.deepEqual(
        waits.map((wait) => wait === 0),
        [false, true, false, true],
      );
    },
  },
  {
    name: "a key is acquired again when its window has passed, not before, however often it is asked for meanwhile",
    body: async ({ throttle }) => {
      const start = performance.now();
      assert.equal(await waitOf(throttle, "job", shortMs), 0);
      // For long: what is asked next may be asked late.
      await untilTrue(async () => (await waitOf(throttle, "job", longMs)) === 0);
      assert.ok(performance.now() - start >= shortMs - roundingMs);
      assertWait(await waitOf(throttle, "job", longMs), longMs);
    },
  },
  {
    name: "thousands of keys are answered in one call",
    body: async ({ throttle }) => {
      const keys = Array.from({ length: 2_500 }, (_, index) => `job ${index}`);
      const first = await throttle.acquire(keys, longMs);
      assert.equal(first.filter((wait) => wait === 0).length, keys.length);
      const second = await throttle.acquire(keys, longMs);
      assert.equal(second.length, keys.length);
      for (const wait of second) assertWait(wait, longMs);
    },
  },
  {
    name: "no keys are answered with nothing",
    body: async ({ throttle }) => assert.deepEqual(await throttle.acquire([], longMs), []),
  },
  {
    name: "of many that ask for a key at once exactly one acquires it",
    body: async ({ throttle, peer }) => {
      const askers = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? throttle : peer));
      const waits = await Promise.all(askers.map((asker) => waitOf(asker, "job", longMs)));
      assert.equal(waits.filter((wait) => wait === 0).length, 1);
    },
  },
  {
    name: "closing is idempotent",
    body: async ({ throttle }) => {
      await throttle.acquire(["job"], longMs);
      await Promise.all([throttle.close(), throttle.close()]);
      await throttle.close();
    },
  },
];

/** What throttles that share windows promise. */
export const sharedThrottleCases: readonly ThrottleCase[] = [
  {
    name: "what one adapter acquired is taken for the other",
    body: async ({ throttle, peer }) => {
      assert.deepEqual(await throttle.acquire(["mine", "both"], longMs), [0, 0]);
      const [theirs, both] = await peer.acquire(["theirs", "both"], longMs);
      assert.equal(theirs, 0);
      assertWait(both, longMs);
      assertWait(await waitOf(throttle, "theirs", longMs), longMs);
    },
  },
  {
    name: "closing one adapter leaves windows and the other adapter as they are",
    body: async ({ throttle, peer }) => {
      await throttle.acquire(["job"], longMs);
      await throttle.close();
      assertWait(await waitOf(peer, "job", longMs), longMs);
      assert.equal(await waitOf(peer, "other", longMs), 0);
    },
  },
];

async function waitOf(throttle: ThrottleAdapter, key: string, windowMs: number): Promise<number> {
  const waits = await throttle.acquire([key], windowMs);
  assert.equal(waits.length, 1);
  return waits[0] as number;
}

function assertWait(wait: number | undefined, windowMs: number): void {
  assert.ok(wait !== undefined && wait > 0 && wait <= windowMs, `${wait} is no wait within ${windowMs}`);
}
