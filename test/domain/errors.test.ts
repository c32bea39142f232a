import { describe, expect, test } from "vitest";
import { errorCodes, isRetryable, WorkerProgressError } from "../../src/domain/errors.js";

describe("an error", () => {
  test("carries its code, its job and its cause", () => {
    const cause = new Error("ECONNREFUSED");
    const error = new WorkerProgressError("STORAGE_UNAVAILABLE", "The storage is away", { jobId: 42n, cause });
    expect(error).toBeInstanceOf(Error);
    expect({ ...error, message: error.message, cause: error.cause }).toEqual({
      name: "WorkerProgressError",
      code: "STORAGE_UNAVAILABLE",
      jobId: 42n,
      message: "The storage is away",
      cause,
    });
    expect(String(error)).toBe("WorkerProgressError: The storage is away");
    expect(error.stack).toContain("errors.test.ts");
  });

  test("without a cause has none, not an undefined one", () => {
    const error = new WorkerProgressError("CONFLICT", "Others changed it");
    expect("cause" in error).toBe(false);
    expect(error.jobId).toBeUndefined();
  });

  test("codes are distinct and spelled alike", () => {
    expect(new Set(errorCodes).size).toBe(errorCodes.length);
    for (const code of errorCodes) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });

  test("only what can pass by itself is worth trying again", () => {
    expect(errorCodes.filter((code) => isRetryable(new WorkerProgressError(code, "")))).toEqual([
      "CONFLICT",
      "STORAGE_UNAVAILABLE",
      "PUBLISHER_UNAVAILABLE",
    ]);
  });

  test("an error of somebody else is not, whatever its code", () => {
    for (const other of [Object.assign(new Error(), { code: "CONFLICT" }), { code: "CONFLICT" }, "CONFLICT", null]) {
      expect(isRetryable(other)).toBe(false);
    }
  });
});
