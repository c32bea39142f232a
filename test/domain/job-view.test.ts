import { describe, expect, test } from "vitest";
import { jobView } from "../../src/domain/job-view.js";
import { at, job } from "./sample-job.js";

describe("the read model", () => {
  test("is exactly the documented JSON", () => {
    const stored = job({
      progress: 50,
      attempt: 1,
      step: "processing",
      message: "Processing frame 50 of 100",
      progressAt: at,
    });
    expect(JSON.stringify(jobView(stored, "bigint", at))).toBe(
      JSON.stringify({
        id: 123,
        type: "model",
        status: "running",
        progress: {
          percent: 50,
          step: "processing",
          message: "Processing frame 50 of 100",
          updated_at: "2024-01-20T10:30:00Z",
        },
        attempts: 1,
        cancel_requested: false,
        artefacts: [],
        queue_position: null,
        started_at: "2024-01-20T09:30:00Z",
        finished_at: null,
        output: null,
        error_code: null,
        error_message: null,
      }),
    );
  });

  test("a job that was never touched has nulls", () => {
    const fresh = job({ type: null, step: null, message: null, progressAt: null, updatedAt: null });
    expect(jobView(fresh, "bigint", at)).toMatchObject({
      type: null,
      progress: { step: null, message: null, updated_at: null },
    });
  });

  test("where the time of progress is not kept, the time of the last change stands in", () => {
    expect(jobView(job({ progressAt: null, updatedAt: at + 999 }), "bigint", at).progress.updated_at).toBe(
      "2024-01-20T10:30:00Z",
    );
  });

  test("a large id is a string, a wish to cancel is told", () => {
    const view = jobView(job({ id: "9007199254740993", cancelRequested: true }), "bigint", at);
    expect(view).toMatchObject({ id: "9007199254740993", cancel_requested: true });
  });

  test("tells the rate of a job that takes days as it is, with the seconds that it leaves", () => {
    const slow = job({ progress: 50, rate: 100 / 259_200, progressAt: at });
    expect(jobView(slow, "bigint", at)).toMatchObject({ rate: 0.0003858, eta: 129_600 });
  });

  test.each([
    ["does not run", { status: "queued" as const }],
    ["has no rate", { rate: null }],
    ["was resumed and has not moved", { rate: 0 }],
    ["keeps no time of its progress", { progressAt: null }],
    ["should have ended before now", { progressAt: at - 100_000 }],
  ])("tells neither rate nor seconds left of a job that %s", (_, differences) => {
    const view = jobView(job({ progress: 50, rate: 1, progressAt: at, ...differences }), "bigint", at);
    expect(view).not.toHaveProperty("rate");
    expect(view).not.toHaveProperty("eta");
  });

  test("rounds the seconds left up", () => {
    const nearly = job({ progress: 99, rate: 3, progressAt: at });
    expect(jobView(nearly, "bigint", at).eta).toBe(1);
  });
});
