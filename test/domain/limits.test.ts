import { expect, test } from "vitest";
import { defaultLimits } from "../../src/domain/limits.js";

test("the default limits are the documented ones and cannot be changed by accident", () => {
  expect(defaultLimits).toEqual({
    messageLength: 2_000,
    labelLength: 255,
    metricsBytes: 65_536,
    outputBytes: 1_048_576,
  });
  expect(Object.isFrozen(defaultLimits)).toBe(true);
});
