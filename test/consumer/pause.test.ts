import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { pause } from "../../src/consumer/pause.js";

test("a pause whose signal fired before ends at once", async () => {
  await pause(600_000, AbortSignal.abort());
});

test("a pause that is over leaves nobody listening to its signal", async () => {
  const { signal } = new AbortController();
  await pause(1, signal);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
