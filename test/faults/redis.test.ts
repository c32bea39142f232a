import { expect, test } from "vitest";
import { expectPromisesKept, runFaultCourse } from "./fault-course.js";

test("refused", async () => {
  const course = await runFaultCourse({
    server: "Redis",
    fault: "refused",
    companions: 1,
    inject: ({ network }) => network.redisUrl.refuse(),
    heal: ({ network }) => network.redisUrl.accept(),
  });
  expectPromisesKept(course);
  expect(course.stored.mostWritesPerWindow).toBeLessThanOrEqual(2);
});
