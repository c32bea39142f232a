import { expect, test } from "vitest";
import { NewestOnly } from "../../src/engine/newest-only.js";

function reading() {
  const calls: string[] = [];
  const values = new NewestOnly<number>(
    () => calls.push("start"),
    () => calls.push("end"),
  );
  return { values, calls };
}

const done = { value: undefined, done: true };

test("a failure is kept for who reads later, once, after the newest value", async () => {
  const { values, calls } = reading();
  const failure = new Error("no storage");
  values.push(1);
  values.fail(failure);
  values.fail(new Error("too late"));
  expect(await values.next()).toEqual({ value: 1, done: false });
  await expect(values.next()).rejects.toBe(failure);
  expect([await values.next(), calls]).toEqual([done, ["end"]]);
});

test("of two who wait a failure is told to the first, and the other is released", async () => {
  const { values } = reading();
  const failure = new Error("no storage");
  const waiting = [values.next(), values.next()];
  values.fail(failure);
  expect(await Promise.allSettled(waiting)).toEqual([
    { status: "rejected", reason: failure },
    { status: "fulfilled", value: done },
  ]);
});

test("what is pushed after the end is not taken in", async () => {
  const { values } = reading();
  values.end();
  values.push(1);
  expect(await values.next()).toEqual(done);
});

test("what is left before it was read never starts, and ends once", async () => {
  const { values, calls } = reading();
  expect([await values.return(), await values.return(), await values.next()]).toEqual([done, done, done]);
  expect(calls).toEqual(["end"]);
});
